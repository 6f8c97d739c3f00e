"""Compose a config, build the experiment, run it, save and log what it found. The only file that knows Hydra."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
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

from lmi.settings import build, require_key
from lmi.sweep.process import die_with_parent, slurm_run_name, starts_under_a_parent, was_requeued
from lmi.sweep.trial import own_overrides, quoted, sweep_folder, trial_folder

SCRIPT = Path(__file__).resolve()
CONFIG_FILE = "config.yaml"

# Threads that spin while they wait make training ten times slower wherever cores are shared: with other jobs, or by the
# processes of one run. Read by OpenMP when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

OmegaConf.register_new_resolver("run_folder", lambda resume, fresh: resume or fresh)
OmegaConf.register_new_resolver("run_name", lambda now: slurm_run_name() or now)
OmegaConf.register_new_resolver("trial_folder", lambda overrides: trial_folder(own_overrides(overrides)))


def is_main_process() -> bool:
    """Whether this is the process that writes: the launcher's variables say so before anything is imported."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def prepare(config: DictConfig) -> tuple[DictConfig, Path]:
    """The resolved config and its run folder: a fresh one, or the one to resume with the config that it holds."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if (folder / "result.json").is_file():
        raise ValueError(f"{folder} holds a finished run; choose another hydra.run.dir")
    if config.resume or (was_requeued() and (folder / CONFIG_FILE).is_file()):
        if not (folder / CONFIG_FILE).is_file():
            raise ValueError(f"resume={config.resume}: no {CONFIG_FILE} there, so nothing to resume")
        stored = OmegaConf.load(folder / CONFIG_FILE)
        assert isinstance(stored, DictConfig)
        return stored, folder
    if is_main_process() and (folder / CONFIG_FILE).exists():
        raise ValueError(
            f"{folder} holds an unfinished run; go on with resume={folder}, or choose another hydra.run.dir"
        )
    OmegaConf.resolve(config)
    return config, folder


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(composed: DictConfig) -> None:
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        print(trial(composed), flush=True)
        return
    folder: Path | None = None
    try:
        config, folder = prepare(composed)
        values: Any = OmegaConf.to_container(config, throw_on_missing=True)
        experiment = build(values["experiment"], "experiment")
        if is_main_process():
            OmegaConf.save(config, folder / CONFIG_FILE)
        run(experiment, values, folder)
    except KeyboardInterrupt:
        sys.exit(f"\ninterrupted; go on with: python train.py resume={folder}")
    except (ValueError, OSError, OmegaConfBaseException) as error:
        if "HYDRA_FULL_ERROR" in os.environ:
            raise
        place = f" (writing into {folder})" if isinstance(error, OSError) and error.filename is None else ""
        sys.exit(f"error: {error}{place}\n(HYDRA_FULL_ERROR=1 shows where)")


def run(experiment: Any, values: dict[str, Any], folder: Path) -> None:
    """Run a built experiment; the main process saves, tracks and prints what it found."""
    from lightning.pytorch.loggers import CSVLogger

    from lmi.facts import facts
    from lmi.report.page import text_table, write_report
    from lmi.report.tracking import track
    from lmi.types import Context

    # Flushed at every epoch: a study that prunes reads along.
    loggers = [CSVLogger(folder, name="csv", flush_logs_every_n_steps=1)]
    if "_target_" in values["logger"]:
        loggers.append(build(values["logger"], "logger"))
        # Lightning 2.6 hands W&B a setting that W&B 0.31 warns about in every run.
        getattr(loggers[-1], "_wandb_init", {}).pop("anonymous", None)
        loggers[-1].log_hyperparams(values)
    context = Context(values["seed"], folder, tuple(loggers), values["progress"] and is_main_process())
    started = time.perf_counter()
    result = experiment.run(context)
    if not is_main_process():
        return
    found = facts(values["seed"], time.perf_counter() - started)
    result = dataclasses.replace(result, experiment=values["name"], facts=found)
    result.save(folder)
    report = write_report(folder)
    track(result, folder, loggers)
    for rows in result.tables.values():
        print("\n" + text_table(rows))
    for note in result.notes:
        print(f"\nnote: {note}")
    print(f"\nreport: {report}")


def trial(composed: DictConfig) -> str:
    """One trial of a multirun: the same command as a single run of its own, with the trial's overrides and folder."""
    job = HydraConfig.get()
    given = [source.path for source in job.runtime.config_sources if source.provider == "command-line"]
    flags = ["--config-name", job.job.config_name, *(word for path in given for word in ("--config-dir", path))]
    sweep = build(OmegaConf.to_container(composed.sweep, resolve=True), "sweep")
    processes = composed.trainer.devices if isinstance(composed.trainer.devices, int) else 1
    return sweep.run(
        [sys.executable, str(SCRIPT), *flags], list(job.overrides.task), Path(job.runtime.output_dir).absolute(),
        jobs=job.launcher.get("n_jobs", 1), processes=processes,
    )  # fmt: skip


def prepare_sweep(words: list[str]) -> Path:
    """The folder of a sweep, once its axes are known to be in the config and its study to be its own."""
    arguments = get_args_parser().parse_args(words)
    with hydra.initialize_config_dir(str(SCRIPT.parent / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        parsed = OverridesParser.create(loader).parse_overrides(arguments.overrides)
        firsts = {
            o.get_key_element(): next(o.sweep_string_iterator()) if o.is_sweep_override() else o.get_value_element_as_str()
            for o in parsed
        }  # fmt: skip
        groups = [key for key in firsts if key.lstrip("+~") in loader.list_groups("") or key.startswith("hydra")]
        path = [f"hydra.searchpath=[{quoted(f'file://{arguments.config_dir}')}]"] if arguments.config_dir else []
        overrides = [f"{key}={firsts[key]}" for key in groups] + path
        config = hydra.compose(arguments.config_name or "config", overrides, return_hydra_config=True)
        for key in {*firsts, *(config.hydra.sweeper.params or {})} - {*groups}:
            require_key(config, key)
        settings = [f"{key}={first}" for key, first in firsts.items() if key not in groups]
        config = hydra.compose(arguments.config_name or "config", overrides + settings, return_hydra_config=True)
        folder = Path(config.hydra.sweep.dir)
        build(OmegaConf.to_container(config.sweep, resolve=True), "sweep").check(folder)
    return folder


def sweep_and_report() -> None:
    """A multirun in a folder of its own, which the same command finds again, and its report."""
    from lmi.report.sweep import write_sweep_report

    if not any(word.startswith("hydra.sweep.dir=") for word in sys.argv):
        sys.argv.append(f"hydra.sweep.dir={quoted(sweep_folder([w for w in sys.argv[1:] if not w.startswith('-')]))}")
    try:
        folder = prepare_sweep(sys.argv[1:])
    except (HydraException, ValueError, OSError) as error:
        sys.exit(f"error: {error}" + (f" ({error.__cause__})" if error.__cause__ else ""))
    main()
    print(write_sweep_report(folder))


if __name__ == "__main__":
    if starts_under_a_parent():
        die_with_parent()
    if {"-m", "--multirun"} & {*sys.argv}:
        sweep_and_report()
    else:
        main()
