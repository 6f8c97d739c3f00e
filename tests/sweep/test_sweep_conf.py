import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

import train  # noqa: F401  (registers the resolvers that the config uses)
from lmi.settings import build, require_key

CONF = Path(__file__).parents[2] / "conf"
LAUNCHERS = {"joblib": "hydra_joblib_launcher", "slurm": "hydra_submitit_launcher", "ray": "hydra_ray_launcher"}


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "sweep").glob("*.yaml")))
def test_every_sweep_builds_and_its_axes_are_in_the_config(name):
    if name in LAUNCHERS and (
        find_spec("hydra_plugins") is None or find_spec(f"hydra_plugins.{LAUNCHERS[name]}") is None
    ):
        pytest.skip(f"{LAUNCHERS[name]} is not installed")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        # A sweep of one experiment's settings names it in its first comment.
        needed = re.findall(r"experiment=\w+", (CONF / "sweep" / f"{name}.yaml").read_text(encoding="utf-8"))
        config = compose("config", [f"sweep={name}", *needed[:1]], return_hydra_config=True)
    sweep = build(OmegaConf.to_container(config.sweep, resolve=True), "sweep")
    axes = OmegaConf.to_container(config.hydra.sweeper, resolve=True)["params"] or {}
    parsed = OverridesParser.create().parse_overrides([f"{key}={value}" for key, value in axes.items()])
    for override in parsed:
        require_key(config, override.get_key_element())
        assert override.is_sweep_override() and len(list(override.sweep_string_iterator())) > 1
    if sweep.study is not None:
        for key in sweep.study.space:
            require_key(config, key)


def test_a_study_of_the_grids_that_know_no_best_is_refused(tmp_path):
    from lmi.sweep.study import Study
    from lmi.sweep.sweep import Sweep

    with pytest.raises(ValueError, match="closest_to_zero is for grids"):
        Sweep(direction="closest_to_zero", study=Study({"seed": (0, 1)})).check(tmp_path)
