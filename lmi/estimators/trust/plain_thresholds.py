"""Thresholds of single estimators and of the choice of columns. ``thresholds.TABLE`` lists them with all others."""

from __future__ import annotations

from lmi.estimators.trust.threshold import Threshold

LEFTOVER_SHARE = Threshold(0.05, "share of the estimate", "that shuffled codes may show: the interval holds it already")
NEIGHBOURS_TIED = Threshold(
    0.05, "share of a column's values", "that more than k rows share, from where on neighbours at distance 0 decide"
)
KSG_BIASED = Threshold(
    0.1,
    "share of what draws hold",
    "that KSG of them may miss before it is a doubt; the interval is open to it already",
)
KSG_BIASED_LEAST = Threshold(0.02, "nats", "the same, for small estimates")
CRITIC_RISING = Threshold(
    0.1, "share of the bound", "that half of a critic's training samples may lack; its interval is open to more already"
)
RISE_AHEAD = Threshold(
    2.4, "times what half of the samples lack", "that a critic still lacks, 1 / (2^.5 - 1): its loss falls as n^-.5"
)
CORRELATED_SURE = Threshold(
    0.5, "standard errors", "beyond the largest correlation that so many independent columns show by chance"
)
CORRELATED_ALONE = Threshold(
    5, "standard errors", "of a column that helps a product to predict: one of two million has as much by chance"
)
PREDICTED_LINE = Threshold(
    0.05,
    "share of the rival's bound",
    "by which a prediction must win on a line each, where densities are nearly exact",
)
CLASSES_LEAD = Threshold(
    0.5, "share of the best bound", "that clusters or latent classes find at least where kernels are to tell them apart"
)
CLASSES_LEAST = Threshold(0.03, "nats", "that they find at least: less is chance")
WITHIN_CLASSES = Threshold(
    8, "standard deviations", "by which fresh samples may contradict latent classes; up to 7 where these were right"
)
SOFT_END = Threshold(
    0.05, "share of the number", "that zeros may share more where faint values drop out softly: .04 on four draws"
)
PREDICTED_TOGETHER = Threshold(
    20, "columns of a side", "that are predicted where a density of predictions and columns does without neighbours"
)
UNPREDICTED_TOGETHER = Threshold(
    0.25, "share of the number", "that predictions of several columns may lack; measured: .01 to .19 for 2 to 8 columns"
)
BLOCK_COLUMNS = Threshold(
    48, "columns of both sides", "up to which all triples are asked which go together; then products"
)
BLOCK_FINE = Threshold(
    400, "columns of both sides", "of which eight cosines are asked, in up to three seconds; of more two"
)
BLOCK_MOST = Threshold(
    1200, "columns of both sides", "that are asked which of them go together, where one side is narrow"
)
BLOCK_NARROW = Threshold(24, "columns of a side", "that is narrow: products of two wide ones take too long")
BLOCK_LARGEST = Threshold(
    0.8, "share of the columns", "that one block may have: a larger one is as hard as all of them"
)
BLOCK_ROWS = Threshold(
    60_000, "rows of all blocks", "together: a block that is no line takes a second for a thousand rows"
)
BLOCK_LINK = Threshold(
    0.0003, "probability by chance", "of what makes columns one block: if by luck, it only costs time"
)
BLOCK_LINKED = Threshold(0.03, "probability by chance", "the same, in any pair of a sample")
BLOCK_SURE = Threshold(
    0.001,
    "probability by chance",
    "in any pair or triple of columns, of what has a block taken out or joined by products",
)
BLOCK_MISSED = Threshold(
    3, "standard deviations", "of what a line finds in all columns and not in their blocks, so that these are not taken"
)
FEW_LEVELS = Threshold(4, "levels", "of a column that are few: no line and no density of such columns is exact")
ATOM = Threshold(
    0.25, "share of rows", "that have one value of a column, from where on that is an atom, as zeros of counts are"
)
MOST_COST = Threshold(
    0.15, "share of a bound", "that half of what fitting cost may add to it; up to .09 where classes are exact"
)
LEAST_COST = Threshold(0.05, "nats", "the same, for small bounds")
ENCODES = Threshold(3, "columns of the narrow side", "that the wide one is a function of: kernels fill no more")
KERNELS_SEE = Threshold(
    12, "columns of both sides", "in which kernels may find what no line, square, product or single column shows"
)
EASIER = Threshold(
    0.8, "share of what is left of the other column", "from where on a column is clearly easier to predict"
)
TILTED = Threshold(8, "rows a column", "up to which principal directions are asked how much of them is chance")
CALIBRATED = Threshold(
    5, "classes", "from which on a classifier's shares are recalibrated; of fewer, neighbours read the log odds"
)
UNMIXED_ROWS = Threshold(
    2, "times the square of the columns", "that a side has rows at least, where independent components are sought"
)
BENT = Threshold(
    4, "standard errors", "of the correlation of fresh variates of products, from which on they show a bent direction"
)
BENT_SIZE = Threshold(2, "times what noise gives", "that a bent direction weighs at least in the matrices of products")
ON_A_LINE = Threshold(
    1.3, "of the largest canonical correlation by chance", "from which on columns beside bent directions are paired"
)
