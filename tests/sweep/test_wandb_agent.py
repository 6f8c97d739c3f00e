"""W&B's own sweeps: the manual's yaml, expanded as its agent expands it, runs a trial; no network."""

import json
import re
from pathlib import Path

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

ROOT = Path(__file__).parents[2]
SMALL = ["source.x_dim=6", "source.y_dim=6", "experiment.num_samples=200", "estimator.max_epochs=1", "progress=false"]


@pytest.mark.slow
def test_the_command_of_the_manual_is_one_that_the_agent_can_run(starter, tmp_path):
    text = (ROOT / "docs" / "howto_sweep.md").read_text(encoding="utf-8")
    sweep = yaml.safe_load(next(b for b in re.findall(r"```yaml\n(.*?)```", text, re.S) if "args_no_hyphens" in b))
    proposed = {
        name: {"value": space["values"][0] if "values" in space else space["min"]}
        for name, space in sweep["parameters"].items()
    }
    words = create_sweep_command(sweep["command"])
    macros = {
        "${env}": ["/usr/bin/env"],
        "${program}": [str(ROOT / sweep["program"])],
        "${args_no_hyphens}": create_sweep_command_args({"args": proposed})["args_no_hyphens"],
    }
    command = [part for word in words for part in macros.get(word, [word])]
    assert command[:3] == ["/usr/bin/env", "python", str(ROOT / "train.py")]
    assert not [word for word in command if "${" in word]
    # As the agent starts it: the run's name is W&B's, and so is the sweep's.
    agent = {"WANDB_RUN_ID": "abc123", "WANDB_SWEEP_ID": "sweep9", "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    ((code, said),) = starter.run([*command[3:], *SMALL, f"hydra.run.dir={tmp_path / 'run'}"], env=agent, cwd=tmp_path)
    assert code == 0, said
    metrics = json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]
    assert metrics[sweep["metric"]["name"]] > 0
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    for name, choice in proposed.items():
        group, _, setting = name.partition(".")
        assert config[group][setting] == pytest.approx(choice["value"])
    tracked = next(tmp_path.glob("run/wandb/offline-run-*/run-abc123.wandb")).read_bytes()
    assert b"sweep9" in tracked and sweep["metric"]["name"].encode() in tracked
