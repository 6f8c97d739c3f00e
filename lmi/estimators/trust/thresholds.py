"""Every threshold that decides something, once: its name, its value, its unit and its reason.

``TABLE`` lists them all for the page that explains ``auto``.
"""

from __future__ import annotations

from lmi.estimators.trust import plain_thresholds
from lmi.estimators.trust.threshold import Threshold

# Which samples auto takes, and how.
SMALLEST = Threshold(60, "samples", "fewer cannot be split into folds, and each fold again")
MANY_SAMPLES = Threshold(
    4000, "samples", "from here on halves are large enough to be the folds; below, thirds are used"
)
LOW_DIMENSIONAL = Threshold(12, "columns of both sides", "up to here a density is fitted to the variables themselves")
MAPPED = Threshold(16, "columns of a side", "up to here maps are fitted that make the columns jointly normal")
KSG_DIMENSIONS = Threshold(6, "columns of both sides", "up to here KSG is exact enough to correct a density")
NEURAL_DIMENSIONS = Threshold(4, "columns of both sides", "up to here densities and neighbours see what a critic would")
T_COMPONENTS = Threshold(32, "components of a side", "up to here one t density of all components can be fitted")
SAMPLES_A_CLASS = Threshold(10, "samples", "to fit, for each latent class")
SAMPLES_A_PARAMETER = Threshold(2, "samples", "to fit, for each parameter of a mixture of all components")
SAMPLES_A_THREAD = Threshold(20_000, "samples", "measured: from here on two threads take no longer than one")

# What repeats.
TIED = Threshold(0.05, "share of rows", "where more repeat, a side has no density")
MOST_COPIES = Threshold(10, "rows", "a sample that was entered twice occurs a few times, a level occurs often")
ROWS_A_CELL = Threshold(5, "samples", "of a table; entropies of thinner tables are biased")
MOST_LEVELS = Threshold(20, "levels", "a side with more is a quantity, not a label")
ROWS_A_LEVEL = Threshold(8, "samples", "a rarer level cannot be learned by a classifier")
RARE = Threshold(0.02, "share of samples", "whose level may be too rare to be a label")
LEFTOVER = Threshold(0.01, "nats", "that shuffled pairs may share in a table before its bias is a doubt")

# Which candidate is chosen.
SURE = Threshold(2.5, "standard errors", "by which a more complex candidate must win: a dozen could win by chance")
NEURAL_MARGIN = Threshold(
    0.03, "share of the rival's bound", "by which a neural critic must win: its fit varies by as much"
)
CLIMB_GAIN = Threshold(0.002, "nats", "that a mixture of more components must gain for the next size to be tried")
DETERMINED = Threshold(1 - 1e-12, "canonical correlation", "from here on one side determines a direction of the other")
CLEAR_SIGNAL = Threshold(3.0, "standard deviations", "of the closed form under independence, from where it is taken")
CONFIRMED = Threshold(0.7, "share of the number", "that a density of kernel variates must confirm in fresh pairs")
RIVAL_ERRORS = Threshold(
    2.0,
    "standard errors",
    "by the spread of their terms, by which variates must find more in fresh pairs: numbers of the same samples share noise",
)
SIGNIFICANT = Threshold(2.5, "standard errors", "of the KSG correction, from where on it is made")
NOT_SETTLED = Threshold(
    1.0, "standard errors", "of the KSG correction, from where on the interval holds what it would have said"
)
RESIDUALS_IN_DOUBT = Threshold(
    0.25,
    "share of a correction by residuals",
    "that is in its standard error: neighbours of residuals see nearly all of what a density misses, of pairs about half",
)
RESIDUALS_SURE = Threshold(
    5.0,
    "standard errors",
    "by which residuals of several columns must find more than neighbours of pairs: edges gave 9 to 27, chance up to 3",
)
THINNER = Threshold(
    0.5, "dimensions", "that a side fills less than draws from its density do; within .15 where it fills its columns"
)

FULL_RANK = Threshold(
    0.5, "share of the samples", "columns of both sides, up to which the closed form of all of them is asked"
)
FULL_RANK_LEAST = Threshold(0.01, "nats", "that all columns must show beyond the leading components")

# Candidates that are asked where something calls for them.
LEVEL_COLUMNS = Threshold(
    64, "columns of both sides", "up to here hidden scores of columns that repeat values are drawn"
)
PREDICTED = Threshold(2, "columns of a side", "that are predicted from the other side: neighbours see few dimensions")
PREDICTED_FROM = Threshold(
    2,
    "columns of both sides",
    "from here on predictions are asked: stairs of one column cost densities and KSG .1 nats",
)
PREDICTORS = Threshold(
    50, "columns of both sides", "up to here all products of columns can be asked of a few thousand rows"
)
READ_OUT = Threshold(600, "columns of both sides", "up to here a line through all of them is fitted in a second or two")
CORRELATED_FROM = Threshold(
    0.2, "share of the samples fitted to", "columns of both sides, from where on those that go together are asked alone"
)
PAIRED = Threshold(32, "columns of a side", "up to here pairs of columns are matched and given a density each")
PAIRED_BY_CHANCE = Threshold(
    40, "chi square of 9", "of two columns' Hermite polynomials, from where on they are a pair"
)
BESIDE_PAIRS = Threshold(
    5, "standard deviations", "that columns share beside their pairs, whose information then adds up"
)
TAILS_TOGETHER = Threshold(
    20, "nats", "twice the log likelihood that a t copula must gain over the normal one to be tried; a few by chance"
)
CLASS_GAIN = Threshold(0.1, "share of the bound", "that 40 latent classes must gain over 20 for 80 to be tried")
UNPREDICTED = Threshold(
    0.12, "share of the number", "that predictions lacked at most, measured: .05 to .12 among 10 to 20 columns"
)
BLURRED = Threshold(
    0.12, "share of the bound", "that scores by draws lose: .03 to .11 for 3 + 3 to 20 + 20 ReLU columns"
)

UNFINISHED = Threshold(
    0.03,
    "share of the number",
    "that twice as many densities add to it; within .011 where a mixture is exact, .03 to .06 where it lacked a tenth",
)
STILL_TO_MIX = Threshold(
    3, "times what twice as many densities add", "that a mixture still lacks: measured, 2.2 to 4.7 in 8 and 12 columns"
)
HIDDEN_NOT_NORMAL = Threshold(
    4,
    "standard errors",
    "of Mardia's scores of hidden scores; within 2.5 behind ReLU, items and rounding, 4 to 14 of counts",
)
LOWER_BOUND = Threshold(
    0.08, "share of the number", "by which the interval of a lower bound opens upwards: curved sides in 2 to 6 columns"
)
MIXED_BOUND = Threshold(
    0.18,
    "share of the number",
    "the same of variates, 4 densities or more, classes, a network, in over 6 columns, where no neighbours correct: .01 to .2",
)
STILL_TO_RISE = Threshold(
    1.5,
    "times what half of the training samples lack",
    "that a lower bound still lacks: 2.4 where the loss falls as 1 / sqrt(n), 1 where it falls as 1 / n",
)
BY_COLUMN = Threshold(
    4, "standard deviations", "of a residual's means in bins of one column, beyond the largest by chance; within 2.5"
)

LEARNED_LABEL = Threshold(
    0.01, "share of the label's entropy", "that classifiers leave where the label is a function of x"
)
LABEL_RISE_OF_A_FORMULA = Threshold(
    2.4,
    "times what half of the samples lack",
    "that a classifier of fixed size still lacks, 1 / (2^.5 - 1): at a sharp boundary its loss falls as n^-.5",
)
LABEL_RISE = Threshold(4, "times what half of the samples lack", "the same for trees and networks: as n^-.3")

# The verdict.
LEFT_OVER = Threshold(4, "standard deviations", "of what residuals still share; within 3 where the model is exact")
UNEXPLAINED = Threshold(
    3.5, "standard deviations", "of what the scores do not explain of fresh pairs; within 2.5 where they are right"
)
UNEXPLAINED_SHARE = Threshold(
    0.03, "share of the estimate", "that may be left unexplained, for fitting leaves something, too"
)
UNEXPLAINED_LEAST = Threshold(0.02, "nats", "the same, for small estimates")
NOT_ALONE = Threshold(
    12,
    "twice the log likelihood",
    "that a side alone gains under its own density; within 5 where that of the pairs is exact",
)
NOT_ALONE_LEAST = Threshold(
    0.01,
    "nats per sample",
    "of that gain, from where on it is a doubt; three humps told as two cost .003 and no information",
)
NOT_NORMAL = Threshold(
    5, "standard errors", "of Mardia's skewness or kurtosis; within 3 where a side is jointly normal"
)
PARTITION = Threshold(
    3,
    "standard errors",
    "of a density's log partition over independent pairs; 0 where it is right, .15 nats on a sphere",
)
IN_TIME = Threshold(4.5, "standard deviations", "of the autocorrelation along the rows; within 4 for rows in no order")
GROUPED = Threshold(0.999, "share of the rows", "that rows in groups count as at most; folds and nulls respect groups")
COUNT_LESS = Threshold(0.95, "share of the rows", "that they must count as, or their dependence in time is a doubt")
NEAR_COPIES = Threshold(
    3, "ratio", "of a row's step from near copies to others to the step between others; 1.6 at most without copies"
)
NEAR_LIMIT = Threshold(0.75, "share of log(n / 4)", "from where on n samples hardly resolve the estimate")
LINE_DISAGREEMENT = Threshold(0.15, "nats", "between neighbours and density on a line each: both nearly exact there")
DISAGREEMENT = Threshold(0.03, "nats", "the same in more dimensions, where neighbours see a part of what is missing")
UNCONFIRMED = Threshold(0.2, "share of the estimate", "that fresh pairs may fail to confirm")
UNCONFIRMED_ERRORS = Threshold(4, "standard errors", "the same, for noisy estimates")
UNCONFIRMED_LEAST = Threshold(0.06, "nats", "the same, for small estimates")
MOSTLY_UNCONFIRMED = Threshold(
    0.7, "share of the estimate", "from where on a lack of confirmation is a reason to abstain"
)
BOUND_RANGE = Threshold(2, "nats", "below log(n / 4), where held-out bounds can still confirm an estimate")
ONLY_LEARNED = Threshold(0.1, "share of the estimate", "that only a neural critic finds, whose value is a lower bound")
ONLY_LEARNED_LEAST = Threshold(0.04, "nats", "the same, for small estimates")
RISING = Threshold(0.05, "share of the estimate", "that half of the training samples may lack")
RISING_LEAST = Threshold(0.02, "nats", "the same, for small estimates")
SAMPLES_A_DIMENSION = Threshold(20, "samples", "with fewer, a dependence that is not linear could hide")
NOISY = Threshold(0.25, "share of the estimate", "from where on its standard error is a doubt")
NOISY_LEAST = Threshold(0.05, "nats", "the same, for small estimates")
COPIED = Threshold(0.01, "share of the samples", "that may be copies of others before each is counted once")
FAINT = Threshold(0.02, "share of the estimate", "that may be in directions the samples hardly show")
FOLDS_APART = Threshold(0.1, "share of the bound", "by which folds may differ")
FOLDS_APART_ERRORS = Threshold(4, "standard errors", "the same, for noisy folds")
FOLDS_APART_LEAST = Threshold(0.05, "nats", "the same, for small bounds")
NEIGHBOURS_APART = Threshold(0.1, "share of the estimate", "by which twice as many neighbours may differ")
NEIGHBOURS_APART_LEAST = Threshold(0.02, "nats", "the same, for small estimates")
DOUBTFUL = Threshold(1.0, "weight", "of all reasons together, from where on an estimate is doubtful")
ABSTAIN = Threshold(3.0, "weight", "of all reasons together, from where on an estimate should not be used")

# Learned representations.
LATENT_RISING = Threshold(
    0.05, "share of the estimate", "that a learning curve says is still to be found, from where on it is a doubt"
)
LATENT_FOLDS_APART = Threshold(0.1, "share of the estimate", "by which encoders of different folds may differ")
LATENT_FOLDS_APART_ERRORS = Threshold(4, "standard errors", "the same, for noisy folds")
LATENT_FOLDS_APART_LEAST = Threshold(0.05, "nats", "the same, for small estimates")
LATENT_OPTIMISM = Threshold(
    0.3,
    "share of the training objective",
    "that fresh pairs may lack: every network knows some of its samples by heart",
)
LATENT_OPTIMISM_LEAST = Threshold(
    0.1, "nats", "the same, for small objectives: six latents of 500 pairs show .04 by chance"
)
LATENT_NOTHING = Threshold(0.02, "nats", "of a learned representation, below which it found nothing")
LATENT_SHORTFALL = Threshold(
    0.3,
    "share of the estimate",
    "that an interval opens by at least: of a bump with a faint texture encoders lacked a quarter, and more data found no more",
)
LATENT_MEASURES_APART = Threshold(
    0.05, "share of the estimate", "that two measures of one sample may differ by, and agree"
)
LATENT_MEASURES_APART_ERRORS = Threshold(2.0, "standard errors", "the same, of the estimate")
LATENT_MEASURES_MANY = Threshold(
    7,
    "latents",
    "of a side, up to which neighbours are a second measure: in 9 and 10 they found 2.67 and 2.82 nats for 2.43",
)
LATENT_MEASURES_TOWARDS = Threshold(
    0.75,
    "share of the way",
    "up to neighbours that find clearly more than auto in learned latents: half of it was .2 nats too low in four of 667 pairs",
)
LATENT_LEVELS_GAIN = Threshold(
    1.5,
    "standard errors",
    "by which a table of levels must exceed the best bound of auto in fresh pairs; both are lower bounds",
)
LEARNED_SAMPLES = Threshold(1000, "samples", "from where on effort=normal asks learned latents: 400 train them")
LATENTS_TOO_FEW = Threshold(0.05, "share of the estimate", "that the last of all latents may add")

_EVERY = {**vars(plain_thresholds), **globals()}
TABLE: dict[str, Threshold] = {name: value for name, value in _EVERY.items() if isinstance(value, Threshold)}
