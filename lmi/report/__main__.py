"""``python -m lmi.report <run folder>``: write the report page of a finished run again."""

import sys
from pathlib import Path

from lmi.report.page import write_report

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m lmi.report <run folder>")
    try:
        sys.stdout.write(f"{write_report(Path(sys.argv[1]))}\n")
    except FileNotFoundError as error:
        sys.exit(str(error))
