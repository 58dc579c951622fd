"""A distance becomes a decision: match, refer or no match, with the error rates that it rests on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from embedding.calibration import Calibration
from embedding.embedder import Timings
from embedding.quality import Assessment
from service.decisions.scores import NOT_FOR_KIOSKS, SCORE, Scored


class Outcome(StrEnum):
    """What one comparison says."""

    MATCH = "match"
    REFER = "refer"
    NO_MATCH = "no_match"


@dataclass(frozen=True)
class Policy:
    """Two false match rates and the distances that one calibration gives them.

    Attributes:
        match: A distance up to this one is a match.
        refer: A distance between `match` and this one is for a person to decide.
    """

    calibration: Calibration
    match_fmr: float
    refer_fmr: float
    match: float
    refer: float

    @classmethod
    def of(cls, calibration: Calibration, match_fmr: float, refer_fmr: float) -> Self:
        """The policy at two false match rates.

        Raises:
            FmrNotSupported: If the calibration is too small for one of them.
        """
        match, refer = calibration.threshold(match_fmr), calibration.threshold(refer_fmr)
        return cls(calibration, match_fmr, refer_fmr, match, refer)


def decide(d: float, policy: Policy) -> Outcome:
    """The three-way decision on d(A, B); both thresholds are inclusive."""
    if d <= policy.match:
        return Outcome.MATCH
    return Outcome.REFER if d <= policy.refer else Outcome.NO_MATCH


class Thresholds(BaseModel):
    """The two distances that part match, refer and no match."""

    match: float = Field(ge=0, le=4)
    refer: float = Field(ge=0, le=4)


class ConfiguredRates(BaseModel):
    """The false match rates that the thresholds stand for."""

    match: float
    refer: float


class FalseMatchRates(ConfiguredRates, Scored):
    """The configured rates, and the calibrated rate at this distance."""

    at_d: float | None = Field(
        description="null beyond what the calibration supports; never extrapolated", json_schema_extra=SCORE
    )


class CalibrationFacts(BaseModel):
    """Which calibration the rates come from, and how much it rests on."""

    id: str
    non_mated: int
    identities: int

    @classmethod
    def of(cls, calibration: Calibration) -> Self:
        """The facts that every decision repeats."""
        return cls(id=calibration.id, non_mated=calibration.non_mated, identities=calibration.identities)


class Quality(BaseModel):
    """What a picture's quality was found to be (ISO/IEC 29794-5 component words)."""

    acceptable: bool
    reasons: list[str]
    measures: dict[str, float]
    limits: dict[str, float] = Field(default_factory=dict)

    @classmethod
    def of(cls, assessment: Assessment) -> Self:
        """An assessment as it is shown."""
        return cls(
            acceptable=assessment.acceptable,
            reasons=list(assessment.reasons),
            measures=assessment.measures,
            limits=assessment.limits,
        )


class StageTimes(BaseModel):
    """Milliseconds of each stage on the way from picture to decision."""

    decode: float
    detect: float
    embed: float
    search: float

    @classmethod
    def of(cls, timings: Timings, search_ms: float) -> Self:
        """The embedder's timings and the comparison's."""
        return cls(
            decode=round(timings.decode_ms, 3),
            detect=round(timings.detect_ms, 3),
            embed=round(timings.embed_ms, 3),
            search=round(search_ms, 3),
        )


class Decision(Scored):
    """One comparison, decided; everything needed to explain it later."""

    decision: Outcome
    d: float = Field(
        ge=0,
        le=4,
        description="squared distance of unit templates; smaller is nearer",
        json_schema_extra=SCORE,
    )
    threshold: Thresholds = Field(json_schema_extra=SCORE)
    fmr: FalseMatchRates
    subject_id: UUID | None = Field(default=None, json_schema_extra=NOT_FOR_KIOSKS)
    template_id: UUID | None = Field(default=None, json_schema_extra=NOT_FOR_KIOSKS)
    probe_quality: Quality = Field(json_schema_extra=NOT_FOR_KIOSKS)
    reference_quality: Quality | None = Field(
        default=None, description="of image_a in a stateless comparison"
    )
    model_id: str
    calibration: CalibrationFacts
    timings_ms: StageTimes
    request_id: str | None = None


def false_match_rates(d: float, policy: Policy) -> FalseMatchRates:
    """The rates of a policy, and at one distance."""
    at_d = policy.calibration.fmr_at(d)
    return FalseMatchRates(match=policy.match_fmr, refer=policy.refer_fmr, at_d=at_d)
