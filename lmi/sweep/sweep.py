"""What a sweep is after, and how each of its trials is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from lmi.files import SWEEP_FILE
from lmi.results import Result
from lmi.settings import near
from lmi.sweep.gpus import own_gpus, visible_gpus
from lmi.sweep.process import program, threads_per_trial, trial_environment, trials_at_a_time
from lmi.sweep.study import Study
from lmi.sweep.trial import own_overrides, read_trial, run_trial, write_trial

REFUSED = "refused"
DEFAULT_OBJECTIVE = "best_stop_loss"


def refusal(folder: Path) -> str | None:
    """Why no further trial of the sweep in ``folder`` is run: its objective is no metric of the first that finished."""
    return read_trial(folder, SWEEP_FILE).get(REFUSED)


@dataclass(frozen=True)
class Sweep:
    """Settings of a sweep.

    Args:
        objective: metric of each result that says which config is best.
        direction: what is good in it.
        study: proposes each trial's settings; ``None`` runs the grid as it is.
        trials: how many a study runs.
        trial: number of this one, where there is a study.
    """

    objective: str = DEFAULT_OBJECTIVE
    direction: Literal["minimize", "maximize", "closest_to_zero"] = "minimize"
    study: Study | None = None
    trials: Annotated[int, Field(ge=1)] | None = None
    trial: Annotated[int, Field(ge=0)] | None = None

    @property
    def searched(self) -> list[str]:
        """The settings that a study proposes."""
        return [] if self.study is None else list(self.study.space)

    def check(self, folder: Path) -> None:
        """Refuse what no trial could run with, and note in ``folder`` what the sweep is after.

        Raises:
            ValueError: for a study of another search space, or a direction that studies do not know.
        """
        if self.study is not None:
            if self.direction == "closest_to_zero":
                raise ValueError("a study minimizes or maximizes; sweep.direction=closest_to_zero is for grids")
            self.study.open(folder, self.direction)
        folder.mkdir(parents=True, exist_ok=True)
        write_trial(
            folder, {"objective": self.objective, "direction": self.direction, "program": program()}, SWEEP_FILE
        )

    def run(self, command: Sequence[str], overrides: Sequence[str], folder: Path, jobs: int, devices: int | str) -> str:
        """Run one trial, unless it is there already, and say in a line how it went.

        Args:
            command: starts a single run.
            overrides: the trial's, sweep settings among them.
            folder: of the trial, inside that of the sweep.
            jobs: how many trials run at a time.
            devices: of each trial, a process for each where they are counted.
        """
        if refusal(folder.parent):
            return f"{folder.name}: not run"
        processes = devices if isinstance(devices, int) else 1
        environment = trial_environment(folder.parent.name, threads_per_trial(jobs, processes))
        settings = own_overrides(overrides, with_trial=False)
        with own_gpus(
            folder.parent, visible_gpus() if jobs != 1 else [], trials_at_a_time(jobs), processes
        ) as variables:
            environment |= variables
            if self.study is None:
                record = run_trial(command, settings, folder, environment)
            else:
                assert self.trial is not None and self.direction != "closest_to_zero"
                record = self.study.run(
                    self.trial, command, settings, folder, environment, self.objective, self.direction
                )
        return f"{folder.name}: {self._outcome(record, folder)}"

    def _outcome(self, record: dict[str, Any], folder: Path) -> str:
        if record["status"] != "done":
            return f"{record['status']} {record['error'] or ''}".rstrip()
        metrics = Result.load(folder).metrics
        # The default is a metric of trained estimators alone; a grid of others has no best, but nobody asked for one.
        is_asked_for = self.study is not None or self.objective != DEFAULT_OBJECTIVE
        if self.objective not in metrics and is_asked_for:
            problem = f"sweep.objective: no metric {self.objective!r} in {folder}; {near(self.objective, metrics)}"
            write_trial(folder.parent, {**read_trial(folder.parent, SWEEP_FILE), REFUSED: problem}, SWEEP_FILE)
            return f"done, but {problem}"
        value = metrics.get(self.objective)
        return f"done, {self.objective} = {value:.5g}" if isinstance(value, (int, float)) else "done"
