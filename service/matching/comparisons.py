"""Verify, compare and search: from pictures to decisions, the same for HTTP and for the command line."""

import time
from collections.abc import Collection
from uuid import UUID

from pydantic import Field

from embedding.embedder import Embedding
from embedding.quality import Purpose
from embedding.template import distance
from service.decisions.compared import Compared
from service.decisions.decision import (
    CalibrationFacts,
    ConfiguredRates,
    Decision,
    Outcome,
    Policy,
    Quality,
    StageTimes,
    Thresholds,
    decide,
    false_match_rates,
)
from service.decisions.scores import SCORE, Scored
from service.models.loaded import LoadedModel
from service.parts import Parts


class Match(Scored):
    """One subject who is near enough to the probe."""

    subject_id: UUID
    external_id: str | None = Field(default=None, description="for callers with `subjects:read`")
    display_name: str | None = Field(default=None, description="for callers with `subjects:read`")
    template_id: UUID
    d: float = Field(ge=0, le=4, json_schema_extra=SCORE)
    decision: Outcome
    fmr_at_d: float | None = Field(json_schema_extra=SCORE)
    model_id: str = Field(description="the model that knows the subject; its d means nothing under another")


class SearchResult(Scored):
    """Who is near enough, the rarest distance first; empty where nobody is (open set).

    Thresholds and calibration are those of the model in use.
    """

    matches: list[Match]
    not_searched: int = Field(
        default=0,
        ge=0,
        description="enrolled templates that were not looked at, because their stored rows do not open: "
        "whoever was not found may be one of them",
    )
    k: int
    threshold: Thresholds = Field(json_schema_extra=SCORE)
    fmr: ConfiguredRates
    probe_quality: Quality
    model_id: str
    calibration: CalibrationFacts
    timings_ms: StageTimes
    request_id: str | None = None


def verify(parts: Parts, subject_id: UUID, picture: bytes, request_id: str | None = None) -> Decision:
    """Is this the subject? Compared with that subject's templates only, under the newest model that has some.

    Raises:
        EmbeddingError: If no template can be made of the picture.
        LegalBasisExpired: If the subject's basis has ended; the picture is not looked at.
        NoTemplate: If the subject has nothing to compare with.
    """
    parts.gallery.require_basis(subject_id)
    model = parts.serving.model_of(subject_id)
    return verify_probe(parts, model, subject_id, model.embedder.embed(picture, Purpose.VERIFY), request_id)


def verify_probe(
    parts: Parts, model: LoadedModel, subject_id: UUID, probe: Embedding, request_id: str | None = None
) -> Decision:
    """As `verify`, with the template at hand that the subject's model made of the picture."""
    started = time.perf_counter()
    nearest = model.gallery.distance_to(subject_id, probe.template)
    search_ms = _since(started)
    decision = decision_of(model.policy, nearest.d, probe, search_ms, request_id)
    decision.subject_id, decision.template_id = nearest.subject_id, nearest.template_id
    _count(parts, "verify", decision.decision, probe)
    parts.shadow.offer(
        Compared(
            checkin_id=None,
            session_id=None,
            subject_id=nearest.subject_id,
            crop=probe.crop,
            model_id=model.id,
            decision=str(decision.decision),
            match_fmr=model.policy.match_fmr,
            refer_fmr=model.policy.refer_fmr,
        )
    )
    return decision


def compare(parts: Parts, reference: bytes, probe: bytes, request_id: str | None = None) -> Decision:
    """Do two pictures show the same person? Nothing is stored.

    Raises:
        EmbeddingError: If no template can be made of one of them.
    """
    a = parts.embedder.embed(reference, Purpose.VERIFY)
    b = parts.embedder.embed(probe, Purpose.VERIFY)
    decision = decide_between(parts.policy, a, b, request_id)
    _count(parts, "compare", decision.decision, b)
    return decision


def decide_between(
    policy: Policy, reference: Embedding, probe: Embedding, request_id: str | None = None
) -> Decision:
    """The decision on two embedded pictures."""
    started = time.perf_counter()
    d = distance(reference.template, probe.template)
    decision = decision_of(policy, d, probe, _since(started), request_id)
    decision.reference_quality = Quality.of(reference.quality)
    return decision


def search(
    parts: Parts,
    picture: bytes,
    k: int,
    request_id: str | None = None,
    within: Collection[UUID] | None = None,
) -> SearchResult:
    """Who is this? Everybody whose distance is at most the refer threshold, the rarest distance first.

    Args:
        parts: The open parts.
        picture: Of one face.
        k: How many people at most.
        request_id: The request it came with.
        within: Only these subjects; None searches the whole gallery.

    Raises:
        EmbeddingError: If no template can be made of the picture.
    """
    return search_probe(parts, parts.embedder.embed(picture, Purpose.VERIFY), k, request_id, within)


def search_probe(
    parts: Parts,
    probe: Embedding,
    k: int,
    request_id: str | None = None,
    within: Collection[UUID] | None = None,
) -> SearchResult:
    """As `search`, with the picture's template at hand."""
    policy = parts.policy
    started = time.perf_counter()
    found = parts.serving.nearest(probe, k, lambda model: model.policy.refer, within)
    search_ms = _since(started)
    matches = [
        Match(
            subject_id=one.nearest.subject_id,
            template_id=one.nearest.template_id,
            d=one.nearest.d,
            decision=decide(one.nearest.d, one.model.policy),
            fmr_at_d=one.model.calibration.fmr_at(one.nearest.d),
            model_id=one.model.id,
        )
        for one in found
    ]
    _count(parts, "search", matches[0].decision if matches else Outcome.NO_MATCH, probe)
    return SearchResult(
        matches=matches,
        not_searched=parts.serving.not_searched(within),
        k=k,
        threshold=Thresholds(match=policy.match, refer=policy.refer),
        fmr=ConfiguredRates(match=policy.match_fmr, refer=policy.refer_fmr),
        probe_quality=Quality.of(probe.quality),
        model_id=probe.template.model_id,
        calibration=CalibrationFacts.of(policy.calibration),
        timings_ms=StageTimes.of(probe.timings, search_ms),
        request_id=request_id,
    )


def name_matches(parts: Parts, found: SearchResult) -> SearchResult:
    """The result with the external id and the name of everybody in it, from one query."""
    names = parts.subjects.names_of([one.subject_id for one in found.matches])
    for one in found.matches:
        one.external_id, one.display_name = names.get(one.subject_id, (None, None))
    return found


def decision_of(
    policy: Policy, d: float, probe: Embedding, search_ms: float, request_id: str | None = None
) -> Decision:
    """The decision on one distance, with all that explains it."""
    return Decision(
        decision=decide(d, policy),
        d=d,
        threshold=Thresholds(match=policy.match, refer=policy.refer),
        fmr=false_match_rates(d, policy),
        probe_quality=Quality.of(probe.quality),
        model_id=probe.template.model_id,
        calibration=CalibrationFacts.of(policy.calibration),
        timings_ms=StageTimes.of(probe.timings, search_ms),
        request_id=request_id,
    )


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _count(parts: Parts, kind: str, outcome: Outcome, probe: Embedding) -> None:
    parts.metrics.decided(kind, outcome)
    parts.metrics.timed(probe.timings)
