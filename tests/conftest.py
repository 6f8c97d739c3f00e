"""What each test process has for itself: a cache of compiled kernels, and one thread.

Two processes that fill one cache at the same moment can crash in LLVM. Tests run side by side, so that threads of their own
would only wait for one another; this has to be set before torch is imported.
"""

import os
from pathlib import Path

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / f"numba-{WORKER}")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
