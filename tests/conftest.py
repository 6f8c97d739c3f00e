"""Each test process compiles into a cache of its own: two that fill one cache at the same moment can crash in LLVM."""

import os
from pathlib import Path

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / f"numba-{WORKER}")
