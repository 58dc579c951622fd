"""Intervals of a share that was counted, one trial for each person."""

from scipy import stats

from training.evaluation.bootstrap import Interval
from training.evaluation.transactions import Share


def share_interval(successes: int, trials: int) -> Interval:
    """95 % interval of a share (Wilson, "Probable Inference", JASA 1927)."""
    interval = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def count_share(successes: int, trials: int) -> Share:
    """A share with that interval; nothing where nothing was tried."""
    if not trials:
        return Share(None, None, 0)
    return Share(successes / trials, share_interval(successes, trials), trials)
