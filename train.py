"""Compose a config, build the experiment, run it, save and log what it found. The only file that knows Hydra."""

from __future__ import annotations

import dataclasses
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

CONFIG_FILE = "config.yaml"

# Threads that spin while they wait make training ten times slower wherever cores are shared: with other jobs, or by the
# processes of one run. Read by OpenMP when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

OmegaConf.register_new_resolver("run_folder", lambda resume, fresh: resume or fresh)


def facts(config: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What it takes to get the same numbers again."""
    from importlib.metadata import version

    import torch

    import lmi

    packages = ("torch", "lightning", "transformers", "numpy", "scipy", "scikit-learn", "hydra-core")
    return {
        "seed": config["seed"],
        "command": " ".join(["python", *sys.argv]),
        "seconds": round(seconds, 2),
        "device": torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {"lmi": lmi.__version__, **{name: version(name) for name in packages}},
    }


def is_main_process() -> bool:
    """Whether this is the process that writes: the launcher's variables say so before anything is imported."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def prepare(config: DictConfig) -> tuple[DictConfig, Path]:
    """The resolved config and its run folder: a fresh one, or the one to resume with the config that it holds."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if (folder / "result.json").is_file():
        raise ValueError(f"{folder} holds a finished run; choose another hydra.run.dir")
    if config.resume:
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
    from lmi.settings import build

    folder: Path | None = None
    try:
        config, folder = prepare(composed)
        values: Any = OmegaConf.to_container(config)
        experiment = build(values["experiment"], "experiment")
        if is_main_process():
            OmegaConf.save(config, folder / CONFIG_FILE)
        run(experiment, values, folder)
    except KeyboardInterrupt:
        sys.exit(f"\ninterrupted; go on with: python train.py resume={folder}")
    except (ValueError, OSError, OmegaConfBaseException) as error:
        if "HYDRA_FULL_ERROR" in os.environ:
            raise
        sys.exit(f"error: {error}\n(HYDRA_FULL_ERROR=1 shows where)")


def run(experiment: Any, values: dict[str, Any], folder: Path) -> None:
    """Run a built experiment; the main process saves, tracks and prints what it found."""
    from lightning.pytorch.loggers import CSVLogger

    from lmi.report.page import text_table, write_report
    from lmi.report.tracking import track
    from lmi.settings import build
    from lmi.types import Context

    loggers = [CSVLogger(folder, name="csv")]
    if "_target_" in values["logger"]:
        loggers.append(build(values["logger"], "logger"))
        loggers[-1].log_hyperparams(values)
    context = Context(values["seed"], folder, tuple(loggers), values["progress"] and is_main_process())
    started = time.perf_counter()
    result = experiment.run(context)
    if not is_main_process():
        return
    result = dataclasses.replace(result, experiment=values["name"], facts=facts(values, time.perf_counter() - started))
    result.save(folder)
    report = write_report(folder)
    track(result, folder, loggers)
    for rows in result.tables.values():
        print("\n" + text_table(rows))
    for note in result.notes:
        print(f"\nnote: {note}")
    print(f"\nreport: {report}")


if __name__ == "__main__":
    main()
