"""Compose a config, and run its experiment or the trials of a sweep (lmi/run.py, lmi/sweep). The only file that knows Hydra."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lmi.run import one_line_errors, run, stored_config
from lmi.settings import build, require_key
from lmi.sweep.process import die_with_parent, is_child, slurm_run_name
from lmi.sweep.sweep import refusal
from lmi.sweep.trial import own_overrides, quoted, trial_folder, with_sweep_folder

SCRIPT = Path(__file__).resolve()
plain: Any = partial(OmegaConf.to_container, resolve=True, throw_on_missing=True)

OmegaConf.register_new_resolver("run_folder", lambda resume, fresh: resume or fresh)
OmegaConf.register_new_resolver("run_name", lambda now: slurm_run_name() or now)
OmegaConf.register_new_resolver("trial_folder", lambda overrides: trial_folder(own_overrides(overrides)))


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(composed: DictConfig) -> None:
    job = HydraConfig.get()
    folder = Path(job.runtime.output_dir)
    if job.mode == RunMode.RUN:
        with one_line_errors(folder, OmegaConfBaseException):
            run(stored_config(folder, composed.resume) or plain(composed), folder)
        return
    given = [source.path for source in job.runtime.config_sources if source.provider == "command-line"]
    flags = ["--config-name", job.job.config_name, *(word for path in given for word in ("--config-dir", path))]
    outcome = build(plain(composed.sweep), "sweep").run(
        [sys.executable, str(SCRIPT), *flags], list(job.overrides.task), folder.absolute(),
        jobs=job.launcher.get("n_jobs", 1), devices=composed.trainer.devices,
    )  # fmt: skip
    print(outcome, flush=True)


def prepare_sweep(words: list[str]) -> Path:
    """The folder of a sweep, once its axes are known to be in the config and its study to be its own."""
    arguments = get_args_parser().parse_args(words)
    with hydra.initialize_config_dir(str(SCRIPT.parent / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        firsts = {
            o.get_key_element(): next(o.sweep_string_iterator()) if o.is_sweep_override() else o.get_value_element_as_str()
            for o in OverridesParser.create(loader).parse_overrides(arguments.overrides)
        }  # fmt: skip
        groups = [key for key in firsts if key.lstrip("+~") in loader.list_groups("") or key.startswith("hydra")]
        path = [f"hydra.searchpath=[{quoted(f'file://{arguments.config_dir}')}]"] if arguments.config_dir else []

        def compose(keys: list[str]) -> DictConfig:
            overrides = [f"{key}={firsts[key]}" for key in keys]
            return hydra.compose(arguments.config_name or "config", overrides + path, return_hydra_config=True)

        config = compose(groups)
        for key in {*firsts, *(config.hydra.sweeper.params or {})} - {*groups}:
            require_key(config, key)
        config = compose(list(firsts))
        sweep = build(plain(config.sweep), "sweep")
        for key in sweep.searched:
            require_key(config, key)
        folder = Path(config.hydra.sweep.dir)
        sweep.check(folder)
    return folder


def sweep_and_report() -> None:
    """A multirun in a folder of its own, which the same command finds again, and its report."""
    from lmi.report.sweep import write_sweep_report

    sys.argv[1:] = with_sweep_folder(sys.argv[1:])
    with one_line_errors(None, HydraException, OmegaConfBaseException):
        folder = prepare_sweep(sys.argv[1:])
    main()
    if refused := refusal(folder):
        sys.exit(f"error: {refused}")
    print(write_sweep_report(folder))


if __name__ == "__main__":
    if is_child():
        die_with_parent()
    if {"-m", "--multirun"} & {*sys.argv}:
        sweep_and_report()
    else:
        main()
