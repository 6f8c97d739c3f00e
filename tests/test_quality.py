"""The house rules, checked by their own tools: lint, format, types, layers."""

import os
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "check",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        pytest.param(["mypy"], marks=pytest.mark.slow),
        ["lint-imports"],
    ],
    ids=["lint", "format", "types", "layers"],
)
def test_house_rules(check):
    done = subprocess.run([str(BIN / check[0]), *check[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def cycles(graph):
    """Modules that import one another, directly or on the way through others, as lists."""
    index, low, stack, rings = {}, {}, [], []

    def visit(module):
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in graph.find_modules_directly_imported_by(module):
            if other not in index:
                visit(other)
            if other in stack:
                low[module] = min(low[module], low[other])
        if low[module] == index[module]:
            ring = [stack.pop()]
            while ring[-1] != module:
                ring.append(stack.pop())
            if len(ring) > 1:
                rings.append(sorted(ring))

    for module in sorted(graph.modules):
        if module not in index:
            visit(module)
    return rings


def test_no_two_files_import_each_other():
    assert cycles(grimp.build_graph("lmi", exclude_type_checking_imports=True)) == []


def test_experiments_know_no_benchmarks():
    graph = grimp.build_graph("lmi")
    inside = "lmi.experiments.benchmarks"
    importers = {
        module
        for benchmark in (inside, *graph.find_descendants(inside))
        for module in graph.find_modules_that_directly_import(benchmark)
    }
    assert {module for module in importers if not module.startswith(inside)} == set()


def test_experiments_have_one_name():
    """At the top of the repository they can be imported as ``experiments`` too, which no wheel has."""
    lines = subprocess.run(
        ["git", "grep", "-nE", r"^\s*(from|import) experiments\b|_target_: experiments\.", "--", "*.py", "*.yaml", "*.md"],
        cwd=ROOT, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert lines == "", f"say lmi.experiments:\n{lines}"


@pytest.mark.slow
def test_threads_are_quiet_and_as_many_as_asked():
    """lmi chooses waiting threads that sleep, and numba keeps to OMP_NUM_THREADS, in a fresh process."""
    code = (
        "import lmi, os, torch; x = torch.randn(300, 3);"
        "lmi.pairwise_mi(x); lmi.estimate(x, x + torch.randn(300, 3), 'ksg', permutations=0);"
        "print(os.environ['OMP_WAIT_POLICY'], torch.get_num_threads())"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "NUMBA_NUM_THREADS")
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**environment, "OMP_NUM_THREADS": "1"},  # numba would take all cores there are
    )  # fmt: skip
    assert done.stdout.split() == ["PASSIVE", "1"]


@pytest.mark.slow
def test_numba_may_have_started_its_threads_before():
    """The number of its threads is fixed then: lmi uses as many as were asked for, up to those there are."""
    code = (
        "import numba, numpy; numba.set_num_threads(numba.config.NUMBA_NUM_THREADS); import lmi;"
        "lmi.pairwise_mi(numpy.random.default_rng(0).standard_normal((200, 2))); print(numba.get_num_threads())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_NUM_THREADS"}
    cores = len(os.sched_getaffinity(0))
    for asked, used in ("64,2", cores), ("", cores):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={**environment, "OMP_NUM_THREADS": asked}
        )
        assert (done.stdout.split(), done.returncode) == ([str(used)], 0), done.stderr


def test_files_are_short():
    """A file is one idea; kernels may be long."""
    kernels = {"ksg_strips.py", "ksg_window.py", "l1_kernels.py"}
    files = [path for path in (ROOT / "lmi").rglob("*.py") if path.name not in kernels]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > 250} == {}
    assert sorted(lengths.values())[len(lengths) // 2] < 130
