"""Compose a config, and run its experiment or the trials of a sweep (lmi/run.py, lmi/sweep). The only file that knows Hydra.

It is ``python train.py`` in the repository and, as ``lmi.train``, the command ``lmi`` of the installed package.
"""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

import lmi
from lmi.run import alone, is_main_process, one_line_errors, refuse_overrides, run, stored_config
from lmi.settings import GROUPS, as_config, build, load_registered, near, registered, require_key
from lmi.sweep.process import die_with_parent, is_child, run_name
from lmi.sweep.sweep import refusal
from lmi.sweep.trial import own_overrides, quoted, trial_folder, with_sweep_folder

SCRIPT = Path(__file__).resolve()
CONF = SCRIPT.parent / "conf"
# As a script inside the package it would see the package's files, such as types.py, in place of Python's own.
AGAIN = ["-P", "-m", "lmi.train"] if (SCRIPT.parent / "__init__.py").is_file() else [str(SCRIPT)]
DEFAULTS = {"source": "reference_example", "estimator": "latent"}  # of an experiment that another package registers
USAGE = "lmi estimate x.csv y.csv [key=value ...]: the mutual information between the rows of two files"
to_plain_dict: Any = partial(OmegaConf.to_container, resolve=True, throw_on_missing=True)

OmegaConf.register_new_resolver("run_folder", lambda resume, fresh: resume or fresh, replace=True)
OmegaConf.register_new_resolver("run_name", run_name, replace=True)
OmegaConf.register_new_resolver("trial_folder", lambda overrides: trial_folder(own_overrides(overrides)), replace=True)


@contextmanager
def in_words(folder: Path | None = None) -> Iterator[None]:
    """End the process with one line for what a user can mend, Hydra's errors and those of configs among them."""
    with one_line_errors(folder, HydraException, OmegaConfBaseException):
        try:
            yield
        except MissingConfigException as error:
            if not error.options:
                raise
            group, _, name = str(error.missing_cfg_file).rpartition("/")
            raise ValueError(f"{group}={name}: no such choice; {near(name, error.options)}") from error
        except MissingMandatoryValue as error:
            raise ValueError(f"{error.full_key} has no value: {error.full_key}=... is needed") from error


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(composed: DictConfig) -> None:
    job = HydraConfig.get()
    folder = Path(job.runtime.output_dir)
    if job.mode == RunMode.RUN:
        with in_words(folder), alone(folder):
            stored = stored_config(folder, composed.resume)
            if stored is not None and composed.resume:
                keys = [OverridesParser.create().parse_override(word).key_or_group for word in job.overrides.task]
                refuse_overrides(stored, OmegaConf.to_container(composed, resolve=True), [*{*keys} - {"resume"}])
            values = to_plain_dict(composed) if stored is None else stored
            run(values, folder, resumes=stored is not None, packages=composed.plugins)
        return
    given = [source.path for source in job.runtime.config_sources if source.provider == "command-line"]
    flags = ["--config-name", job.job.config_name, *(word for path in given for word in ("--config-dir", path))]
    outcome = build(to_plain_dict(composed.sweep), "sweep").run(
        [sys.executable, *AGAIN, *flags], list(job.overrides.task), folder.absolute(),
        jobs=job.launcher.get("n_jobs", 1), devices=composed.trainer.devices,
    )  # fmt: skip
    print(outcome, flush=True)


def add_registered(words: list[str]) -> None:
    """Make what other packages register a choice of its group; those that the words choose come with their settings."""
    for group in GROUPS:
        key = group.removeprefix("lmi.").removesuffix("s")
        for name, point in registered(group).items():
            is_chosen = any(word.startswith(f"{key}=") and name in re.split(r"[=,]", word) for word in words)
            node = as_config(load_registered(point)) if is_chosen else {"_target_": point.value.replace(":", ".")}
            package = None
            if key == "experiment":
                # An experiment that needs a source or an estimator lets the command line choose them, as those here do.
                open_groups = [part for part in DEFAULTS if node.get(part) == "???"]
                node = {
                    "defaults": [*({f"/{part}": DEFAULTS[part]} for part in open_groups), "_self_"],
                    "experiment": node | {part: f"${{{part}}}" for part in open_groups},
                }
                package = "_global_"
            ConfigStore.instance().store(group=key, name=name, node=node, package=package, provider=point.value)


class Composer:
    """Composes what a command line describes, or the groups that it chooses alone, to see what its keys are set in."""

    def __init__(self, arguments: Namespace) -> None:
        loader = GlobalHydra.instance().config_loader()
        overrides = OverridesParser.create(loader).parse_overrides(arguments.overrides)
        # Sweeps give several values to a key; the first of each is one trial.
        given = {
            o.get_key_element(): [*o.sweep_string_iterator()] if o.is_sweep_override() else [o.get_value_element_as_str()]
            for o in overrides
        }  # fmt: skip
        self.groups = [key for key in given if key.lstrip("+~") in loader.list_groups("") or key.startswith("hydra")]
        for key, values in given.items():
            if not values:
                raise ValueError(f"{key}: a sweep over no value")
            options = loader.get_group_options(key.lstrip("+~")) if key in self.groups and key != "hydra" else []
            for value in values if options else []:
                if value.startswith(("[", "{")):
                    raise ValueError(f"{key}={value}: expected one choice; a sweep has several: -m {key}=a,b")
                if len(values) > 1 and value not in options:
                    raise ValueError(f"{key}={value}: no such choice; {near(value, options)}")
        self.firsts = {key: values[0] for key, values in given.items()}
        self.name = arguments.config_name or "config"
        self.path = [f"hydra.searchpath=[{quoted(f'file://{arguments.config_dir}')}]"] if arguments.config_dir else []

    def compose(self, keys: Iterable[str]) -> DictConfig:
        overrides = [f"{key}={self.firsts[key]}" for key in keys]
        return hydra.compose(self.name, overrides + self.path, return_hydra_config=True)

    def known(self) -> DictConfig:
        """The config that the groups chosen make; refuses a group that the experiment does not read."""
        try:
            return self.compose(self.groups)
        except HydraException:
            config: Any = OmegaConf.to_container(self.compose(key for key in self.groups if key == "experiment"))
            chosen = f"experiment={self.firsts['experiment']}" if "experiment" in self.firsts else "the experiment"
            for key in self.groups:
                if key not in config and not key.startswith(("+", "~", "hydra")) and not {"/", "@"} & {*key}:
                    has = sorted(name for name, value in config.items() if isinstance(value, dict) and name != "hydra")
                    own = f"; its own setting is experiment.{key}" if key in config["experiment"] else ""
                    raise ValueError(
                        f"{key}={self.firsts[key]}: {chosen} reads no {key}{own} (valid: {', '.join(has)})"
                    ) from None
            raise

    def check_keys(self, known: DictConfig) -> None:
        """Refuse keys that are not in the config, naming the nearest that are."""
        for key in {*self.firsts, *(known.hydra.sweeper.params or {})} - {*self.groups}:
            require_key(known, key)

    def whole(self) -> DictConfig:
        """The config of all that is given; refuses unknown choices and keys."""
        try:
            return self.compose(self.firsts)
        except HydraException:
            self.check_keys(self.known())
            raise


def prepare_run(config: DictConfig) -> None:
    """What is wrong with the config of a single run, in a line; and its folder, where that can be made."""
    if config.resume is not None:
        if not isinstance(config.resume, str) or not config.resume:
            raise ValueError(f"resume={config.resume}: expected the folder of a run")
        stored_config(Path(config.resume), config.resume)
    HydraConfig.instance().set_config(config)
    if not (folder := config.hydra.run.dir):
        raise ValueError("hydra.run.dir is empty; expected a folder")
    Path(folder).mkdir(parents=True, exist_ok=True)


def prepare_sweep(composer: Composer) -> Path:
    """The folder of a sweep, once its axes are known to be in the config and its study to be its own."""
    composer.check_keys(composer.known())
    config = composer.compose(composer.firsts)
    sweep = build(to_plain_dict(config.sweep), "sweep")
    for key in sweep.searched:
        require_key(config, key)
    folder = Path(config.hydra.sweep.dir)
    sweep.check(folder)
    return folder


def in_full(words: list[str]) -> list[str]:
    """What ``estimate x.csv y.csv`` stands for: ``experiment=arrays`` with these files, by ``auto`` unless told otherwise.

    >>> in_full(["estimate", "x.csv", "y.csv", "seed=1"])
    ['experiment=arrays', "source.x='x.csv'", "source.y='y.csv'", 'estimator=auto', 'logger=none', 'seed=1']
    """
    if words[:1] != ["estimate"]:
        return words
    files, more = words[1:3], words[3:]
    if (asks := {"-h", "--help"} & {*words}) or len(files) < 2 or any(word.startswith("-") for word in files):
        print(f"usage: {USAGE}", file=sys.stdout if asks else sys.stderr)
        sys.exit(not asks)
    sides = [f"source.{side}={quoted(file)}" for side, file in zip("xy", files)]
    return ["experiment=arrays", *sides, "estimator=auto", "logger=none", *more]


def command() -> None:
    """A single run; or a multirun in a folder of its own, which the same command finds again, and its report."""
    if is_child():
        die_with_parent()
    if sys.argv[1:] == ["--version"]:
        print(f"lmi {lmi.__version__}")
        return
    sys.argv[1:] = in_full(sys.argv[1:])
    is_sweep = bool({"-m", "--multirun"} & {*sys.argv})
    if is_sweep:
        sys.argv[1:] = with_sweep_folder(sys.argv[1:])
    arguments = get_args_parser().parse_args(sys.argv[1:])
    with one_line_errors(None):
        if arguments.config_dir and not Path(arguments.config_dir).is_dir():
            raise ValueError(f"--config-dir: no folder at {arguments.config_dir}")
        add_registered(sys.argv[1:])
    shows_config = any((arguments.help, arguments.cfg, arguments.info))
    folder = None
    if not (arguments.hydra_help or arguments.shell_completion) and is_main_process():
        with in_words(), hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            composer = Composer(arguments)
            if shows_config:
                composer.whole()
            elif is_sweep:
                folder = prepare_sweep(composer)
            else:
                prepare_run(composer.whole())
    with in_words() if shows_config else nullcontext():  # main puts the errors of a run in words itself
        main()
    if folder is not None:
        finish_sweep(folder)


def finish_sweep(folder: Path) -> None:
    """The report of a sweep; a sweep with failed trials has failed."""
    from lmi.report.sweep import write_sweep_report
    from lmi.report.trials import read_trials

    if refused := refusal(folder):
        sys.exit(f"error: {refused}")
    print(write_sweep_report(folder))
    trials = read_trials(folder)
    if failed := [trial.name for trial in trials if trial.status == "failed"]:
        sys.exit(f"error: {len(failed)} of {len(trials)} trials failed")


if __name__ == "__main__":
    command()
