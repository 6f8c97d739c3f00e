"""``python -m lmi.report <folder>``: write the report page of a finished run, or of a sweep, again."""

import sys
from pathlib import Path

from lmi.report.page import write_report
from lmi.report.sweep import write_sweep_report
from lmi.report.trials import is_sweep

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m lmi.report <run folder or sweep folder>")
    folder = Path(sys.argv[1])
    try:
        sys.stdout.write(f"{write_sweep_report(folder) if is_sweep(folder) else write_report(folder)}\n")
    except (OSError, ValueError) as error:
        sys.exit(str(error))
