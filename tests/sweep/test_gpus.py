"""Trials side by side on one machine have GPUs of their own."""

import pytest

from lmi.sweep import sweep as sweep_module
from lmi.sweep.gpus import own_gpus, visible_gpus
from lmi.sweep.sweep import Sweep

GPUS = ["0", "GPU-5a", "2"]


def seen(variables):
    return variables["CUDA_VISIBLE_DEVICES"].split(",")


def test_trials_share_a_gpu_only_where_there_are_more_of_them(tmp_path):
    with own_gpus(tmp_path, GPUS, 4, 1) as a, own_gpus(tmp_path, GPUS, 4, 1) as b, own_gpus(tmp_path, GPUS, 4, 1) as c:
        assert sorted(seen(a) + seen(b) + seen(c)) == sorted(GPUS)
        with own_gpus(tmp_path, GPUS, 4, 1) as d:
            assert seen(d) == ["0"]
    with own_gpus(tmp_path, GPUS, 4, 1) as a:
        assert seen(a) == ["0"], "a trial that ended kept its GPU"


def test_a_trial_of_two_processes_has_two_gpus_and_none_sees_no_gpu(tmp_path):
    with own_gpus(tmp_path, GPUS, 2, 2) as a, own_gpus(tmp_path, GPUS, 2, 2) as b:
        assert seen(a) == ["0", "GPU-5a"] and seen(b) == ["2", "0"]
        with own_gpus(tmp_path, GPUS, 2, 2) as c:
            assert len(set(seen(c))) == 2
    with own_gpus(tmp_path, GPUS, 2, 5) as a:
        assert seen(a) == GPUS


def test_only_what_this_process_sees_is_given_on(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    assert visible_gpus() == ["3", "5"]


@pytest.mark.parametrize(("jobs", "expected"), [(2, "7"), (1, "7,8")])
def test_a_sweep_shows_its_trials_their_gpus(tmp_path, monkeypatch, jobs, expected):
    got = {}

    def run_trial(command, overrides, folder, environment):
        got.update(environment)
        return {"status": "failed", "error": None}

    monkeypatch.setattr(sweep_module, "run_trial", run_trial)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,8")
    Sweep().run([], [], tmp_path / "trial", jobs=jobs, devices=1)
    assert got["CUDA_VISIBLE_DEVICES"] == expected
