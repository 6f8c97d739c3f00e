"""``auto``: several candidates, judged on pairs that trained none of them; the simplest that nothing clearly beats is chosen.

In the order of ``docs/auto.md``: what repeats goes to tables and labels; both sides become spaces; folds are made;
candidates are fitted and judged by held-out lower bounds; one is chosen and gives its number; few dimensions get a KSG
correction; the interval opens by what is known to be missing; doubts make the verdict; blocks of columns are added up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.auto.blocks import label_information_of_blocks, or_sum_of_blocks
from lmi.auto.choice.selection import fit_candidates, is_low_dimensional, select
from lmi.auto.corrections.certified import or_certified
from lmi.auto.corrections.control import Controlled, controlled, of_thin_sides, or_density
from lmi.auto.corrections.directions import open_to_directions
from lmi.auto.corrections.missing import (
    left_in_columns,
    left_on_fresh_pairs,
    linear_evidence,
    lost_by_maps,
    of_counted_rows,
    opened,
    unseen,
    with_all_columns,
    within_the_limit,
)
from lmi.auto.corrections.openings import as_a_lower_bound, open_to_more_densities, open_to_rivals, open_to_sides
from lmi.auto.corrections.rising import Rise, rising
from lmi.auto.discrete import entered_once, estimate_levels, tied
from lmi.auto.doubt import Evidence
from lmi.auto.labels import given_information
from lmi.auto.nulls import null_of
from lmi.auto.protocol.candidate import HELD_OUT_SAMPLES
from lmi.auto.protocol.numbers import number_of
from lmi.auto.spaces import (
    RANKS,
    Spaces,
    are_coarse,
    distinct,
    prepared,
    refuse_determined,
    with_independent_components,
    with_maps,
    without_ties,
)
from lmi.auto.verdict import verdict_of
from lmi.estimators.blocks import independent_blocks
from lmi.estimators.compositions import composition_warnings, or_log_ratios
from lmi.estimators.folds import make_folds
from lmi.estimators.significance.document_nulls import FEWEST_DOCUMENTS
from lmi.estimators.trust.near_copies import near_copies
from lmi.estimators.trust.row_order import RowOrder, row_order
from lmi.estimators.trust.thresholds import (
    COPIED,
    COUNT_LESS,
    GROUPED,
    IN_TIME,
    KSG_DIMENSIONS,
    MANY_SAMPLES,
    NOT_NORMAL,
    SAMPLES_A_THREAD,
    SMALLEST,
)
from lmi.evidence import Permutations
from lmi.neural.critic import CriticSettings
from lmi.threads import at_most
from lmi.types import Context, Estimate


@dataclass(frozen=True, kw_only=True)
class AutoEstimator:
    """See the module. The estimate's ``choice`` says which candidate was chosen, its verdict how far to trust it.

    Args:
        folds: parts of the samples, each judged by what the others trained; 0 chooses 3, or 2 from 4000 samples on.
        components: most principal components of each side.
        neural: whether a neural critic is a candidate where there are more than four dimensions.
        permutations: size of the permutation null of the closed form or of the bound; 0 leaves it out.
        critic: settings of the neural critic.
        effort: ``quick`` is this estimator; with the others ``lmi.estimate`` asks ``lmi.latent.effort`` as well.
    """

    folds: Annotated[int, Field(ge=0)] = 0
    components: Annotated[int, Field(ge=1)] = 96
    neural: bool = True
    permutations: Permutations = 20
    critic: CriticSettings = field(default_factory=CriticSettings)
    effort: Literal["quick", "normal", "thorough"] = "quick"

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``.

        Raises:
            ValueError: for fewer than 60 samples, ``folds=1``, folds of under 20, or quantities that determine each other.
        """
        n = x.shape[0]
        if n < SMALLEST:
            raise ValueError(f"auto splits the samples several ways and needs at least {int(SMALLEST)}; got {n}")
        if self.folds and not 2 <= self.folds <= n // 20:
            raise ValueError(f"folds={self.folds}: expected 0 (auto chooses), or 2 to {n // 20} for {n} samples")
        levels = estimate_levels(x, y, self.permutations, context)
        return self._estimate_quantities(x, y, None, context) if levels is None else levels

    def estimate_groups(self, x: Tensor, y: Tensor, groups: Tensor, context: Context) -> Estimate:
        """The estimate where rows come in groups (documents, subjects) that resemble themselves.

        Rows are put group by group, the groups in a random order, and are then rows in time: no group is in two folds,
        errors count as many samples as the rows count as, and the null pairs each group with another.

        Args:
            x: (n, dx).
            y: (n, dy).
            groups: (n,) group numbers.
            context: seeds.

        Raises:
            ValueError: for fewer than 6 groups, or sides that repeat their values.
        """
        labels = groups.unique()
        if len(labels) < FEWEST_DOCUMENTS:
            raise ValueError(f"groups has {len(labels)} groups; expected at least {FEWEST_DOCUMENTS}")
        if tied(x) or tied(y):
            raise ValueError("auto takes groups of quantities only, and rows of x or y repeat; ksg takes such rows")
        rank = torch.randperm(len(labels), generator=context.generator("groups"))
        order = rank[torch.searchsorted(labels, groups)].argsort(stable=True)
        estimate = self._estimate_quantities(x[order], y[order], groups[order], context)
        pointwise = None if estimate.pointwise is None else estimate.pointwise[order.argsort()]
        return replace(estimate, pointwise=pointwise)

    def _estimate_quantities(self, x: Tensor, y: Tensor, groups: Tensor | None, context: Context) -> Estimate:
        """The estimate of pairs each of which counts once: copies of a sample would be on both sides of a split."""
        stands, copies = entered_once(x, y)
        if copies <= COPIED * x.shape[0]:
            return self._estimate_pairs(x, y, 0, groups, context)
        rows = stands.unique()
        once = None if groups is None else groups[rows]
        estimate = self._estimate_pairs(x[rows], y[rows], copies, once, context)
        pointwise = None if estimate.pointwise is None else estimate.pointwise[torch.searchsorted(rows, stands)]
        return replace(estimate, pointwise=pointwise)

    def _estimate_pairs(self, x: Tensor, y: Tensor, copies: int, groups: Tensor | None, context: Context) -> Estimate:
        """Both sides as spaces, and how many samples their rows count as."""
        n = x.shape[0]
        if n < SMALLEST:
            raise ValueError(f"auto needs at least {int(SMALLEST)} samples; got {n} without copies")
        sides, raw = (x, y), (or_log_ratios(x), or_log_ratios(y))
        x, y = without_ties(*raw, context)
        spaces = prepared(x, y, self.components, are_coarse(*raw))
        rows = row_order(spaces[RANKS].x, spaces[RANKS].y)
        if groups is not None:
            rows = RowOrder(0.0, min(rows.effective, GROUPED * n))
        if groups is not None or (rows.deviations > IN_TIME and rows.effective < COUNT_LESS * n):
            spaces = {name: replace(space, effective=rows.effective) for name, space in spaces.items()}
        # From here on the arrays are small, and a second thread costs more than it brings.
        with at_most(n / SAMPLES_A_THREAD):
            if distinct(x) and distinct(y):
                refuse_determined(spaces)
            spaces = with_independent_components(with_maps(spaces, x, y, self.components), x, y, self.components)
            estimate = self._estimate_in(spaces, raw, copies, rows, groups, context)
        return replace(estimate, warnings=(*estimate.warnings, *composition_warnings(sides, raw)))

    def _estimate_in(
        self,
        spaces: Spaces,
        raw: tuple[Tensor, Tensor],
        copies: int,
        rows: RowOrder,
        groups: Tensor | None,
        context: Context,
    ) -> Estimate:
        """Fit, choose, measure, correct, and collect the doubts."""
        n, in_time = spaces[RANKS].num_samples, spaces[RANKS].in_time
        folds = make_folds(
            n, self.folds or (2 if n >= MANY_SAMPLES else 3), None if in_time else context.generator("folds"), groups
        )
        parted = None if in_time or groups is not None else independent_blocks(*raw)
        critic = self.critic if self.neural and parted is None else None  # blocks have critics of their own
        contest = fit_candidates(spaces, folds, critic, context, None if in_time else raw, parted is not None)
        candidates = contest.fitted
        chosen, number = number_of(select(candidates).stand_in, candidates)
        if not is_low_dimensional(spaces) and not in_time:
            chosen, number = or_certified(chosen, number, list(contest.normals.values()), context)
        columns = min(space.columns for space in spaces.values())
        left, not_normal = linear_evidence(chosen, context)
        thin = of_thin_sides(number, chosen, context)
        control = Controlled(thin or number)
        scored = chosen.base or chosen  # by variates or predictions, or by a density of all columns
        has_density = chosen.components or (chosen.cross_fit.space.name in spaces and not scored.traits.exceeds_bound)
        if thin is None and columns <= KSG_DIMENSIONS and is_low_dimensional(spaces) and not in_time:
            if has_density:
                control = controlled(number, chosen, candidates, not_normal > NOT_NORMAL, context)
            else:
                control = or_density(number, chosen, candidates, context)
        above = control.number.above + unseen(chosen, candidates)
        number = of_counted_rows(control.number._replace(above=above), chosen)
        number, lost, faint = (number, 0.0, "") if control.in_plane else lost_by_maps(number, chosen, context)
        left = left or left_on_fresh_pairs(chosen, spaces, context)
        number, all_columns = with_all_columns(number, chosen, spaces)
        is_smooth = groups is None and not in_time and all(distinct(z) for z in raw)
        step = near_copies(spaces[RANKS].x, spaces[RANKS].y) if is_smooth else 1.0
        rise = Rise(0.0) if all_columns is not None else rising(chosen, folds)
        number, along = left_in_columns(opened(number, chosen, left, not_normal), chosen, raw, context)
        number, more = open_to_more_densities(number, chosen, candidates)
        number, alone = open_to_sides(as_a_lower_bound(number, chosen, rise.nats), chosen, candidates, context)
        if all_columns is None:
            number = open_to_directions(open_to_rivals(number, chosen, candidates), chosen, raw)
        number = within_the_limit(number, chosen)
        evidence = Evidence(
            number.nats, number.error, chosen, candidates, columns, control.correction,
            rise.nats if columns > 2 and not rise.unfitted else 0.0, copies, contest.dropped,
            tuple(words for words in (control.doubt, faint, rise.unfitted) if words), left, along, not_normal, rows.deviations,
            alone, all_columns is not None, more, raw[0].shape[1] + raw[1].shape[1], step,
        )  # fmt: skip
        details = {f"{c.name} bound_nats": c.bound for c in candidates}
        details |= {"standard_error_nats": number.error, "ksg_correction_nats": control.correction}
        terms = chosen.cross_fit.terms
        estimate = Estimate(
            nats=number.nats,
            estimator="auto",
            num_samples=n,
            pointwise=None if terms.isnan().any() else terms - terms.mean() + number.nats,
            interval=number.interval,
            null=null_of(chosen, contest.normals, all_columns, self.permutations, groups, context),
            ceiling=math.log(min(n, HELD_OUT_SAMPLES) / 2) if chosen.traits.bounded else math.inf,
            warnings=tuple(contest.dropped),
            details=details | {"maps_correction_nats": lost},
            verdict=verdict_of(evidence),
            choice=f"auto took {chosen.name}: {', '.join(f'{c.name} {c.bound:.3f}' for c in candidates)} nats held out",
        )
        if parted is None:
            return estimate
        return or_sum_of_blocks(estimate, chosen, raw, parted, replace(self, permutations=0).estimate, context)

    def estimate_label(self, x: Tensor, label: Tensor, context: Context) -> Estimate:
        """I(X; L) for x (n, dx) and a label (n,), see ``label_information_of_blocks``."""
        return label_information_of_blocks(x, label, self.permutations, context)

    def estimate_given(self, x: Tensor, y: Tensor, z: Tensor, context: Context) -> Estimate:
        """I(X; Y | Z), see ``given_information``."""
        return given_information(self.estimate, x, y, z, context)
