"""Every yaml composes and builds; what is wrong in a config is refused with its place and the valid choices."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

import train  # noqa: F401  (registers the resolver that the config uses)
from lmi.settings import SettingsError, build

CONF = Path(__file__).parents[1] / "conf"


def names(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    OmegaConf.set_readonly(config.hydra, False)
    config.hydra.runtime.output_dir = "/nowhere"
    experiment = OmegaConf.to_container(config.experiment, resolve=True)
    return config, build(experiment, "experiment")


FILES = ("source.x=x.npy", "source.y=y.npy")


@pytest.mark.parametrize("name", names("experiment"))
def test_every_experiment_builds(name):
    _, experiment = composed(f"experiment={name}", *(FILES if name in ("arrays", "shards") else ()))
    assert callable(experiment.run)


@pytest.mark.parametrize("group", ["source", "estimator", "trainer"])
def test_every_choice_of_a_group_builds(group):
    for name in names(group):
        _, experiment = composed(f"{group}={name}", *(FILES if name in ("arrays", "shards") else ()))
        assert callable(experiment.run)


@pytest.mark.parametrize("name", names("objective"))
def test_every_objective_builds_with_what_it_names(name):
    _, experiment = composed("experiment=images", f"objective={name}")
    assert experiment.estimator.objective == name


@pytest.mark.parametrize("name", names("logger"))
def test_every_logger_composes(name):
    config, _ = composed(f"logger={name}")
    logger = OmegaConf.to_container(config.logger, resolve=True)
    assert logger == {} or logger["_target_"].startswith("lightning.pytorch.loggers.")
    if name == "wandb":
        assert logger["offline"] is True


def test_every_setting_of_the_yaml_is_the_default_of_its_class():
    """A yaml shows each setting; it does not quietly change what the class does when called from Python."""
    for name in ("ksg", "gaussian", "latent", "latent_bounds", "representation"):
        _, experiment = composed(f"estimator={name}")
        default = type(experiment.estimator)()
        assert experiment.estimator == default, name


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("estimator.latent_dim=abc",), r"experiment.estimator.latent_dim: got 'abc' \(str\).*integer"),
        (("+estimator.latnt_dim=3",), "experiment.estimator.latnt_dim.*did you mean 'latent_dim'"),
        (("estimator.regulariser=non",), "'cross', 'mine' or 'infonce'"),
        (("estimator.permutations=1000000000",), "experiment.estimator.permutations.*less than or equal to 100000"),
        (("experiment=pairwise", "experiment.draws=1"), "experiment.draws.*greater than or equal to 2"),
        (("experiment=pairwise", "experiment.devices=-1"), "experiment.devices.*greater than or equal to 1"),
        (("trainer.precision=8",), "experiment.estimator.trainer.precision"),
        (("experiment.num_samples=1",), "experiment.num_samples.*greater than or equal to 2"),
        (("+experiment.whatever=1",), "EstimateExperiment has no such setting"),
        (("source._target_=os.system",), "outside lmi"),
        (("source._target_=lightning.fabric.utilities.cloud_io._load",), "outside lmi"),
        (("source._target_=lightning.pytorch.Trainer",), "outside lmi"),
        (("source._target_=lmi.settings.build",), "no settings class"),
        (("source._target_=lmi.types.Path",), "no settings class"),
        (("source._target_=lmi.report.page.Environment",), "no settings class"),
        (("source._target_=lmi",), "outside lmi"),
        (("source._target_=3",), "outside lmi"),
        (("source._target_=lmi..run",), "nothing importable"),
        (("source._target_=lmi.sources.normal.gaussian.Nope",), "nothing importable"),
    ],
)
def test_wrong_settings_are_refused(overrides, message):
    with pytest.raises(SettingsError, match=message):
        composed(*overrides)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("estimator.latnt_dim=3", "latnt_dim"),
        ("estimator=latnet", "(?s)Could not find 'estimator/latnet'.*Available options.*ksg"),
        ("experiment=nope", "(?s)Could not find 'experiment/nope'.*latent_gaussian"),
    ],
)
def test_unknown_keys_and_choices_are_refused_with_the_valid_ones(override, message):
    with pytest.raises(ConfigCompositionException, match=message):
        composed(override)
