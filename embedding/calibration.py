"""What a distance means: the false match rate at d, and the threshold for a false match rate.

A calibration is measured on identities that the network never saw and ships inside the bundle.
`training/evaluation/calibrate.py` writes it; this module only reads it.
"""

import bisect
import hashlib
import json
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from embedding.errors import FmrNotSupported

Distance = Annotated[float, Field(ge=0, le=4)]
Rate = Annotated[float, Field(ge=0, le=1)]
PositiveRate = Annotated[float, Field(gt=0, le=1)]


class Record(BaseModel):
    """Base of everything in a manifest: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CurvePoint(Record):
    """`fmr` is the share of non-mated comparisons with a distance <= `d`."""

    d: Distance
    fmr: PositiveRate


class Target(Record):
    """The threshold at one false match rate, with 95 % intervals over identities (bootstrap)."""

    fmr: PositiveRate
    threshold: Distance
    threshold_interval: tuple[Distance, Distance]
    fnmr: Rate
    fnmr_interval: tuple[Rate, Rate] | None = None


class Calibration(Record):
    """Distances against false match rates, measured once for one model.

    Attributes:
        id: Identifies this record in decisions and audit events (see `new`).
        created: When it was measured.
        data: Which pictures, in words.
        identities: People in the calibration set.
        mated: Comparisons within one person.
        non_mated: Comparisons between two people.
        curve: Strictly ascending in `d` and in `fmr`. The first point is the smallest rate that the set
            supports: at least 3 / non_mated (rule of three, ISO/IEC 19795-1:2021). The last is fmr = 1, so
            that the curve covers every distance.
        targets: The named operating points; each lies on the curve.
        left_out_identity_pairs: Pairs of identities not compared because they share a photograph.
        left_out_non_mated: Comparisons left out for that reason; `data` states the rule.
    """

    id: str = Field(min_length=1, max_length=100)
    created: AwareDatetime
    data: str
    identities: PositiveInt
    mated: PositiveInt
    non_mated: PositiveInt
    curve: tuple[CurvePoint, ...] = Field(min_length=2)
    targets: tuple[Target, ...] = ()
    left_out_identity_pairs: NonNegativeInt = 0
    left_out_non_mated: NonNegativeInt = 0

    @classmethod
    def new(
        cls,
        *,
        created: AwareDatetime,
        data: str,
        identities: int,
        mated: int,
        non_mated: int,
        curve: Sequence[CurvePoint],
        targets: Sequence[Target],
        left_out_identity_pairs: int = 0,
        left_out_non_mated: int = 0,
    ) -> Self:
        """A calibration whose id is the digest of its content."""
        unnamed = cls(
            id="unnamed",
            created=created,
            data=data,
            identities=identities,
            mated=mated,
            non_mated=non_mated,
            curve=tuple(curve),
            targets=tuple(targets),
            left_out_identity_pairs=left_out_identity_pairs,
            left_out_non_mated=left_out_non_mated,
        )
        content = unnamed.model_dump(mode="json", exclude={"id"})
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return unnamed.model_copy(update={"id": f"cal-{digest[:16]}"})

    @model_validator(mode="after")
    def _check_curve(self) -> Self:
        for left, right in pairwise(self.curve):
            if right.d <= left.d or right.fmr <= left.fmr:
                raise ValueError(f"the curve does not ascend between d = {left.d} and d = {right.d}")
        if self.smallest_fmr * self.non_mated < 3 - 1e-6:
            raise ValueError(f"{self.non_mated} comparisons do not support an FMR of {self.smallest_fmr}")
        return self

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        for target in self.targets:
            if abs(self.threshold(target.fmr) - target.threshold) > 1e-6:
                raise ValueError(f"the threshold at FMR {target.fmr} does not lie on the curve")
        return self

    @property
    def smallest_fmr(self) -> float:
        """The smallest false match rate that this calibration supports."""
        return self.curve[0].fmr

    @property
    def largest_fmr(self) -> float:
        """The largest false match rate on the curve."""
        return self.curve[-1].fmr

    def threshold(self, fmr: float) -> float:
        """The distance below which a share `fmr` of non-mated comparisons lies; linear in log FMR.

        Raises:
            FmrNotSupported: If `fmr` is outside the curve; nothing is extrapolated.
        """
        if not self.smallest_fmr <= fmr <= self.largest_fmr:
            raise FmrNotSupported(fmr, self.smallest_fmr, self.largest_fmr)
        rates = [point.fmr for point in self.curve]
        right = max(1, bisect.bisect_left(rates, fmr))
        a, b = self.curve[right - 1], self.curve[right]
        share = math.log(fmr / a.fmr) / math.log(b.fmr / a.fmr)
        return a.d + share * (b.d - a.d)

    def fmr_at(self, d: float) -> float | None:
        """The false match rate if `d` were the threshold; None outside the curve."""
        last = self.curve[-1]
        if d >= last.d:
            # At fmr = 1 every non-mated comparison matches, so larger distances change nothing.
            return last.fmr if last.fmr == 1 or d == last.d else None
        if d < self.curve[0].d:
            return None
        right = bisect.bisect_right([point.d for point in self.curve], d)
        a, b = self.curve[right - 1], self.curve[right]
        share = (d - a.d) / (b.d - a.d)
        return a.fmr * math.exp(share * math.log(b.fmr / a.fmr))
