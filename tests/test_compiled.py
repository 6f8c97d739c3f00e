"""Kernels on a cold cache, with processes side by side."""

import os
import subprocess
import sys

import pytest

CODE = """
import sys
import numpy as np
from lmi.estimators.pairwise import dependence
print("ready", flush=True)
sys.stdin.readline()
x = np.linspace(-1, 1, 101)[None]
print(dependence.distance_correlation(x, 2 * x)[0].round(6), sum(dependence._distance_covariances.stats.cache_misses.values()))
"""


@pytest.mark.slow
def test_of_two_processes_on_a_cold_cache_one_compiles_and_the_other_loads(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in both]
    assert sorted(answers) == [["1.0", "0"], ["1.0", "1"]]
