"""Shares that were counted, with their intervals."""

from statistics import NormalDist

from pydantic import BaseModel, Field

Interval = tuple[float, float]


def wilson_interval(count: int, of: int, level: float) -> Interval:
    """The interval of a share (Wilson, "Probable Inference", JASA 1927, two-sided).

    SciPy, which has it as well, is not part of what serves; the tests compare the two.

    Args:
        count: Successes.
        of: Trials, at least one.
        level: For example 0.95.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = count / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z * (share * (1 - share) / of + z**2 / (4 * of**2)) ** 0.5 / (1 + z**2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


class Rate(BaseModel):
    """A share with its 95 % interval; both are null where nothing was counted."""

    count: int
    of: int
    share: float | None = Field(ge=0, le=1)
    interval: Interval | None

    @classmethod
    def counted(cls, count: int, of: int) -> "Rate":
        """The share of so many in so many."""
        if not of:
            return cls(count=count, of=of, share=None, interval=None)
        return cls(count=count, of=of, share=count / of, interval=wilson_interval(count, of, 0.95))
