"""``auto`` with ``effort``: when learned latents are asked, which number is kept, and what is said of the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import lmi
from lmi.evidence import Verdict
from lmi.latent import effort
from lmi.latent.effort import better
from lmi.settings import SettingsError
from lmi.types import Context, Estimate


def said(nats: float, interval: tuple[float, float], level: str) -> Estimate:
    return Estimate(nats, "some", 100, interval=interval, verdict=Verdict(level), choice="its own")


@pytest.mark.parametrize(
    ("quick", "learned", "is_shaped", "kept"),
    [
        (said(1.0, (0.9, 1.1), "reliable"), said(1.5, (1.4, 1.9), "doubtful"), False, 1.5),  # clearly more
        (said(1.0, (0.9, 1.1), "reliable"), said(1.1, (1.0, 1.4), "doubtful"), True, 1.0),
        (said(8.0, (7.8, 8.2), "abstain"), said(5.6, (5.5, 6.9), "doubtful"), True, 5.6),
        (said(1.0, (0.9, 1.4), "doubtful"), said(1.2, (1.1, 1.5), "doubtful"), True, 1.2),
        (said(0.05, (0.0, 0.6), "doubtful"), said(0.6, (0.5, 1.7), "abstain"), True, 0.6),  # a motif among letters
        (said(1.35, (1.2, 1.6), "doubtful"), said(1.05, (1.0, 1.5), "doubtful"), True, 1.35),  # counts of a shared rate
        (said(1.0, (0.9, 1.4), "doubtful"), said(1.2, (1.1, 1.5), "doubtful"), False, 1.0),
    ],
)
def test_the_better_of_both_is_kept(quick, learned, is_shaped, kept):
    estimate = better(quick, learned, is_shaped)
    assert (estimate.nats, estimate.details["columns_nats"]) == (kept, quick.nats)
    other = quick if kept == learned.nats else learned
    assert f"{other.nats:.3f} nats, {other.verdict.level}" in estimate.choice


def test_numbers_that_do_not_meet_are_doubted():
    estimate = better(said(2.0, (1.9, 2.1), "reliable"), said(1.0, (0.9, 1.5), "doubtful"), True)
    assert (estimate.nats, estimate.verdict.level) == (2.0, "doubtful")
    assert "does not meet" in estimate.verdict.reasons[0]


class Quick:
    """Stands for ``auto``: one number at once."""

    def __init__(self, effort: str, level: str = "reliable", nats: float = 1.0) -> None:
        self.effort, self.level, self.nats = effort, level, nats

    def estimate(self, x, y, context):
        return said(self.nats, (self.nats - 0.1, self.nats + 0.1), self.level)

    def estimate_label(self, x, label, context):
        return said(0.5, (0.4, 0.6), self.level)


def test_pictures_are_learned_and_columns_only_where_that_is_worth_it(monkeypatch):
    asked = []

    class Learner:
        def estimate(self, x, y, context):
            asked.append(tuple(x.shape))
            return said(9.0, (8.0, 10.0), "doubtful")

        estimate_shaped = estimate

    monkeypatch.setattr(effort, "learner_of", lambda *arguments: Learner())
    x = torch.randn(1000, 8, generator=torch.Generator().manual_seed(0))
    y = x.flip(0)
    pictures = lmi.estimate(x.reshape(-1, 1, 2, 4), y.reshape(-1, 1, 2, 4), Quick("normal"))
    assert asked == [(1000, 1, 2, 4)] and pictures.nats == 9.0 and pictures.estimator == "auto"
    columns = lmi.estimate(x, y, Quick("normal"))
    assert len(asked) == 1 and "were not asked" in columns.choice and columns.nats == 1.0
    assert lmi.estimate(x, y, Quick("normal", "doubtful")).nats == 9.0
    assert lmi.estimate(x, y, Quick("thorough")).nats == 9.0
    assert lmi.estimate(x, y, Quick("normal", nats=0.0)).nats == 9.0  # nothing in many columns is no proof
    assert "up to 12 columns" in lmi.estimate(x[:, :4], y[:, :4], Quick("thorough")).choice
    assert "fewer than 1000" in lmi.estimate(x[:900].reshape(-1, 4, 2), y[:900], Quick("thorough")).choice


def test_a_wrong_effort_is_refused():
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(SettingsError, match=r"effort: got 'slow'.*'quick', 'normal' or 'thorough'"):
        lmi.estimate(x, x, effort="slow")


def test_labels_say_that_effort_is_not_for_them():
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    estimate = lmi.estimate(x, (x[:, 0] > 0).long(), Quick("normal"), y_is_label=True)
    assert any("effort=normal" in words for words in estimate.warnings)


def test_stages_show_what_is_at_work(capsys):
    stages = replace(Context(), progress=True).stages(["first thing", "second thing"])
    assert next(stages) == "first thing"
    assert "first thing" in capsys.readouterr().err
    stages.close()
