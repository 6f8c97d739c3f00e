"""One cache of compiled kernels for all test processes, one thread each, and a process that starts commands.

Tests run side by side, so that threads of their own would only wait for one another; this has to be set before torch is
imported.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
os.environ["NUMBA_CACHE_DIR"] = str(ROOT / ".pytest_cache" / "numba")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(autouse=True)
def seeded():
    """Layers and draws without a generator of their own are the same in every run and on every worker."""
    import torch

    torch.manual_seed(0)


class Starter:
    """Runs commands of ``train.py`` in processes that are forked from one which has imported what they need."""

    def __init__(self, place, python=sys.executable, program="train", path=ROOT):
        self.place, self.logs, self.started = Path(place), {}, 0
        self.process = subprocess.Popen(
            [str(python), str(ROOT / "tests" / "starter.py"), program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=place, env=os.environ | {"PYTHONPATH": str(path)},
        )  # fmt: skip

    def _ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, *words, cwd=None, env=None, file_bytes=None):
        """The number of a process that runs the command ``words``, and may write files of at most ``file_bytes``."""
        log = self.place / f"log{self.started}"
        self.started += 1
        number = self._ask(
            start=list(map(str, words)), cwd=str(cwd or self.place), env=env or {}, log=str(log), file_bytes=file_bytes
        )
        self.logs[number] = log
        return number

    def ranks(self, *words, size=2):
        """The numbers of ``size`` processes that run ``words`` as one job, as Lightning's launcher would start them."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            cluster = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
        return [self.start(*words, env=cluster | {"LOCAL_RANK": str(rank)}) for rank in range(size)]

    def wait(self, number):
        """Its exit code, and what it printed."""
        return self._ask(wait=number), self.logs[number].read_text()

    def run(self, *commands, **options):
        """Exit codes and words of commands that run side by side."""
        return [self.wait(number) for number in [self.start(*words, **options) for words in commands]]

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


@pytest.fixture(scope="session")
def starter(tmp_path_factory):
    """Commands of ``train.py`` without the seconds that every new process needs to import torch and Lightning."""
    starter = Starter(tmp_path_factory.mktemp("starter"))
    yield starter
    starter.stop()


@pytest.fixture(scope="session")
def starter_of():
    """Like ``starter``, of another Python that has the package installed."""
    return Starter


def pytest_collection_modifyitems(items):
    """Tests that wait for a SLURM are begun first: at the end nothing would be left to run beside them."""
    items.sort(key=lambda item: "test_slurm" not in item.nodeid)
