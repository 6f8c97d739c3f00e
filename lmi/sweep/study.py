"""An Optuna study on disk: each trial of a sweep asks it for settings, and tells it what became of them.

The sweep itself is a plain grid over trial numbers, so every launcher that runs grids runs studies too.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from lmi.files import LOCK_FILE, STUDY_FILE
from lmi.results import Result
from lmi.sweep.trial import read_trial, run_trial, write_trial

SPACE = "space"


@dataclass(frozen=True)
class Interval:
    """A range of numbers to search.

    Args:
        low: smallest value.
        high: largest value.
        log: whether to search its logarithm.
        integer: whether only whole numbers are allowed.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False


@dataclass(frozen=True)
class Study:
    """Tree-structured Parzen estimator over ``space``, pruned by the median of earlier trials.

    Args:
        space: setting -> interval, or the list of its choices.
        startup_trials: random ones before the estimator proposes, and before anything is pruned.
        prune: whether hopeless trials are stopped, judged by the stopping loss after each epoch.
        warmup_epochs: epochs that no trial is pruned in.
        seed: of the proposals.
    """

    space: dict[str, Interval | tuple[float | int | str | bool | None, ...]]
    startup_trials: Annotated[int, Field(ge=1)] = 5
    prune: bool = True
    warmup_epochs: Annotated[int, Field(ge=0)] = 5
    seed: int = 0

    def described(self) -> str:
        """The search space as text, to tell studies apart."""
        space = {
            name: asdict(values) if isinstance(values, Interval) else list(values)
            for name, values in self.space.items()
        }
        return json.dumps(space, sort_keys=True)

    def open(self, folder: Path, direction: Literal["minimize", "maximize"], number: int = 0) -> Any:
        """The study in ``folder``, made if there is none.

        Raises:
            ValueError: where the one that is there searches another space or in another direction, or is no study.
        """
        optuna = _optuna()
        folder.mkdir(parents=True, exist_ok=True)
        path = (folder / STUDY_FILE).resolve()
        try:
            study = optuna.create_study(
                storage=optuna.storages.RDBStorage(
                    f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}}
                ),
                study_name="lmi",
                load_if_exists=True,
                direction=direction,
                sampler=optuna.samplers.TPESampler(
                    n_startup_trials=self.startup_trials, seed=self.seed + number, constant_liar=True
                ),
                pruner=optuna.pruners.MedianPruner(self.startup_trials, self.warmup_epochs)
                if self.prune
                else optuna.pruners.NopPruner(),
            )
        except Exception as error:
            if type(error).__module__.split(".")[0] not in ("sqlalchemy", "alembic", "optuna"):
                raise
            raise ValueError(f"{path} is not an Optuna study of this version: {error}") from error
        stored = study.user_attrs.get(SPACE)
        if stored is None:
            study.set_user_attr(SPACE, self.described())
        elif stored != self.described():
            raise ValueError(
                f"{path} is a study of another search space: it has {stored}, this sweep asks for {self.described()}; "
                "choose another hydra.sweep.dir"
            )
        if study.direction.name.lower() != direction:
            raise ValueError(f"{path} is to {study.direction.name.lower()}, this sweep is to {direction}")
        return study

    def run(
        self,
        number: int,
        command: Sequence[str],
        overrides: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        objective: str,
        direction: Literal["minimize", "maximize"],
    ) -> dict[str, Any]:
        """Ask for settings, run the trial with them, tell how it went; see ``run_trial`` for what is left alone.

        Args:
            number: of the trial in the sweep.
            command: starts a single run.
            overrides: what all trials of the sweep share.
            folder: of the trial; its parent holds the study.
            environment: of its process.
            objective: metric of the result.
            direction: whether a small or a large one is good.
        """
        record = read_trial(folder)
        study = self.open(folder.parent, direction, number)
        states = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
        if record.get("status") == "failed":
            for path in folder.iterdir():
                if path.name != LOCK_FILE:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            record = {}
        if "study_trial" not in record:
            trial = study.ask()
            record = {"study_trial": trial.number, "proposed": self.propose(trial)}
            folder.mkdir(parents=True, exist_ok=True)
            write_trial(folder, record)
            states[trial.number] = study.get_trials(deepcopy=False)[trial.number]
        stored = states[record["study_trial"]]
        trial = _optuna().trial.Trial(study, stored._trial_id)
        watch = _watch(trial, folder) if self.prune and not stored.state.is_finished() else None
        proposed = [f"{name}={_word(value)}" for name, value in record["proposed"].items()]
        done = run_trial(command, [*overrides, *proposed], folder, environment, watch)
        if not stored.state.is_finished():
            _tell(study, stored.number, done, folder, objective)
        return done

    def propose(self, trial: Any) -> dict[str, Any]:
        """Values for every setting of the space, from an Optuna trial."""
        values = {}
        for name, choices in self.space.items():
            if not isinstance(choices, Interval):
                values[name] = trial.suggest_categorical(name, list(choices))
            elif choices.integer:
                values[name] = trial.suggest_int(name, int(choices.low), int(choices.high), log=choices.log)
            else:
                values[name] = trial.suggest_float(name, choices.low, choices.high, log=choices.log)
        return values


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ValueError("a study needs Optuna: pip install lmi[sweep]") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _tell(study: Any, number: int, done: Mapping[str, Any], folder: Path, objective: str) -> None:
    state = _optuna().trial.TrialState
    if done["status"] != "done":
        study.tell(number, state=state.PRUNED if done["status"] == "pruned" else state.FAIL)
        return
    value = Result.load(folder).metrics.get(objective)
    if isinstance(value, (int, float)):
        study.tell(number, float(value))
    else:
        study.tell(number, state=state.FAIL)


def _watch(trial: Any, folder: Path) -> Callable[[], bool]:
    """Reports each new epoch's stopping loss, read from the run's ``metrics.csv``, and says when to give up."""
    reported = 0

    def hopeless() -> bool:
        nonlocal reported
        losses = stop_losses(folder)
        for epoch, loss in losses[reported:]:
            trial.report(loss, epoch)
        reported = len(losses)
        return bool(losses) and trial.should_prune()

    return hopeless


def stop_losses(folder: Path) -> list[tuple[int, float]]:
    """(epoch, stopping loss) of a run so far, from the newest of its ``csv/version_*/metrics.csv``."""
    paths = sorted(folder.glob("csv/version_*/metrics.csv"), key=lambda path: int(path.parent.name.rpartition("_")[2]))
    if not paths:
        return []
    with paths[-1].open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("stop_loss") and row.get("epoch")]
    return [(int(row["epoch"]), float(row["stop_loss"])) for row in rows]


def _word(value: Any) -> str:
    return "null" if value is None else str(value)
