"""On a real SLURM of one node: preemption and requeueing, and a sweep with one job a trial.

It needs root and Debian's slurmctld, slurmd, slurm-client and munge; elsewhere it is skipped and says why.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("slurmctld", "slurmd", "sbatch", "scontrol", "munged")
TRAIN = [
    sys.executable, str(ROOT / "train.py"), "experiment=latent_gaussian", "source.x_dim=10", "source.y_dim=10", "logger=none",
    "estimator.permutations=0", "estimator.hidden=[16]", "estimator.latent_dim=2", "progress=false",
]  # fmt: skip
# Without accounting there is no sacct; submitit asks it for the states that squeue knows too. Between the end of a preempted
# job and its place in the queue SLURM may call it failed for a moment, which accounting does not; a job that failed stays so.
SACCT = """#!/bin/sh
echo "JobID|State|NodeList"
states() { squeue -h -t all -r -o "%i|%T|%N"; }
found=$(states)
case "$found" in *FAILED*) sleep 5; found=$(states);; esac
echo "$found"
"""


def missing():
    lacking = [name for name in NEEDED if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") is None]
    if lacking:
        return (
            f"no SLURM here: {', '.join(lacking)} not installed (apt-get install slurmctld slurmd slurm-client munge)"
        )
    return None if os.geteuid() == 0 else "SLURM's daemons need root"


pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=str(missing()))]


def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(until, what, seconds=600, every=0.1):
    end = time.monotonic() + seconds
    while not (matches := until()):
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(every)
    return matches


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """The environment of a running one-node SLURM."""
    place = tmp_path_factory.mktemp("slurm")
    started = []
    # A munged of its own: workers that steal these tests from each other must not share one, or the first to end stops it.
    munge = {name: place / f"munge.{name}" for name in ("socket", "key-file", "seed-file", "log-file", "pid-file")}
    munge["key-file"].write_bytes(os.urandom(1024))
    munge["key-file"].chmod(0o400)
    subprocess.run(["/usr/sbin/munged", "--force", *(f"--{name}={path}" for name, path in munge.items())], check=True)
    started.append(int(wait(lambda: _text(munge["pid-file"]), "munged", 20)))
    host = socket.gethostname().split(".")[0]
    (place / "state").mkdir()
    (place / "spool").mkdir()
    # Ranks meet at a port that follows from the job's number: the clusters of two workers must not share numbers.
    first_job = 1 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    conf = place / "slurm.conf"
    conf.write_text(f"""
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={port()}
SlurmdPort={port()}
AuthType=auth/munge
AuthInfo=socket={munge["socket"]}
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=1,sched_interval=2
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
ReturnToService=2
FirstJobId={first_job}
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
""")
    (place / "bin").mkdir()
    (place / "bin" / "sacct").write_text(SACCT)
    (place / "bin" / "sacct").chmod(0o755)
    path = f"{place / 'bin'}:{os.environ['PATH']}:/usr/sbin"
    environment = os.environ | {"SLURM_CONF": str(conf), "PATH": path, "PYTHONPATH": str(ROOT)}
    for daemon in ("slurmctld", "slurmd"):
        subprocess.run([daemon], check=True, env=environment)
        started.append(int(wait(lambda d=daemon: _text(place / f"{d}.pid"), daemon, 20)))
    wait(
        lambda: "idle" in subprocess.run(["sinfo", "-h"], capture_output=True, text=True, env=environment).stdout,
        "a node",
        30,
    )
    yield environment
    subprocess.run(["scancel", "--full", "--user=root"], env=environment)
    for pid in reversed(started):
        os.kill(pid, signal.SIGTERM)


def start_again(job, environment):
    """A requeued job waits for two minutes; tests do not, but the node knows the job as killed until that second is over."""
    command = ["scontrol", "update", f"JobId={job}", "StartTime=now+3"]
    subprocess.run(command, env=environment, check=True)


def _text(path):
    return path.read_text().strip() if path.is_file() else ""


def test_a_preempted_job_is_requeued_and_ends_like_the_undisturbed_one(slurm, starter, tmp_path):
    # Many epochs, so that the signal of the first arrives before the last ends.
    words = ["experiment.num_samples=4000", "estimator.batch_size=8", "estimator.max_epochs=12", "trainer=ddp_cpu"]
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\nexec srun " + " ".join([*TRAIN, *words, '"$@"']) + "\n")

    def submit(name):
        options = [
            "--nodes=1",
            "--ntasks-per-node=2",
            "--requeue",
            "--open-mode=append",
            f"--output={tmp_path / name}.txt",
        ]
        return subprocess.run(
            ["sbatch", "--parsable", *options, str(script), f"hydra.run.dir={tmp_path / name}"],
            env=slurm, check=True, capture_output=True, text=True, cwd=tmp_path,
        ).stdout.strip()  # fmt: skip

    job = submit("preempted")
    undisturbed = starter.ranks(*TRAIN[2:], *words, f"hydra.run.dir={tmp_path / 'whole'}")
    folder = tmp_path / "preempted"
    wait((folder / "checkpoints" / "last.ckpt").is_file, "the first epoch")
    subprocess.run(["scancel", "--signal=USR1", job], env=slurm, check=True)

    def restarted():
        shown = subprocess.run(["scontrol", "show", "job", job], env=slurm, capture_output=True, text=True).stdout
        return "Restarts=1" in shown and "JobState=PENDING" in shown

    wait(restarted, "the job to be queued again")
    assert not (folder / "result.json").exists()
    start_again(job, slurm)
    for number in undisturbed:
        code, said = starter.wait(number)
        assert code == 0, said
    results = {}
    for name in ("whole", "preempted"):
        wait((tmp_path / name / "result.json").is_file, f"{name}: {_text(tmp_path / f'{name}.txt')}")
        results[name] = json.loads((tmp_path / name / "result.json").read_text())["metrics"]
    assert results["preempted"]["effective_batch_count"] == 16
    assert results["preempted"]["estimate_nats"] == pytest.approx(results["whole"]["estimate_nats"], abs=1e-6)


def test_a_sweep_runs_one_job_a_trial_and_a_preempted_one_ends_like_its_undisturbed_twin(slurm, tmp_path):
    """Two trials that differ in nothing but the name of the run; one of them is told to leave in the middle."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="hydra-submitit-launcher is not installed")
    folder = tmp_path / "sweep"
    words = [
        "sweep=slurm", "experiment.num_samples=8000", "estimator.batch_size=8", "estimator.max_epochs=3", "trainer=cpu",
        "name=whole,preempted", "hydra.launcher.cpus_per_task=2", f"hydra.sweep.dir={folder}",
    ]  # fmt: skip

    def trial(name):
        records = {path.parent: json.loads(path.read_text()) for path in folder.glob("*/trial.json")}
        return next((place for place, record in records.items() if f"name={name}" in record["overrides"]), tmp_path)

    def run(*command):
        return subprocess.run(command, env=slurm, check=True, capture_output=True, text=True).stdout

    with subprocess.Popen(
        [*TRAIN[:2], "-m", *TRAIN[2:], *words], env=slurm, cwd=tmp_path, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as sweep:  # fmt: skip
        wait(
            lambda: (trial("preempted") / "checkpoints" / "last.ckpt").is_file() or sweep.poll() is not None,
            "the first epoch",
        )
        assert sweep.poll() is None, sweep.communicate()[0]
        # The trials of a sweep are an array of jobs, in the order of the grid.
        job = wait(lambda: re.findall(r"^\d+_1$", run("squeue", "-h", "-t", "R", "-o", "%i"), re.M), "its job")[0]
        run("scancel", "--signal=USR2", job)
        wait(lambda: "Restarts=1" in run("scontrol", "show", "job", job), "the job to be queued again")
        assert not (trial("preempted") / "result.json").exists()
        wait(lambda: "JobState=PENDING" in run("scontrol", "show", "job", job), "the job to wait")
        start_again(job, slurm)
        out, _ = sweep.communicate(timeout=400)
    assert sweep.returncode == 0 and "2 done of 2 trials" in out, out
    whole, preempted = (
        json.loads((trial(name) / "result.json").read_text())["metrics"] for name in ("whole", "preempted")
    )
    assert whole["effective_batch_count"] == preempted["effective_batch_count"] == 8
    assert preempted["estimate_nats"] == pytest.approx(whole["estimate_nats"], abs=1e-6)
    assert (folder / "report.html").is_file()
    assert (trial("preempted") / "log.txt").read_text().count("report: ") == 1
