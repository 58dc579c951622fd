"""/v1/models/{id}/shadow: a candidate looks at what the active model decides, and decides nothing."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from index.gallery.coverage import coverage_of, find_subjects_lacking
from index.models.models import find_active_id
from index.models.shadows import (
    DROPPED,
    FAILED,
    NO_TEMPLATE,
    Shadow,
    count_disagreements,
    end_shadow,
    find_disagreements,
    find_newest,
    read_answers,
    start_shadow,
)
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer, shown_to
from service.api.cursors import page_of, read_id
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, needs
from service.decisions.scores import SCORE, Scored
from service.exams.use.rates import Rate
from service.models.keeping import open_kept
from service.models.promotion import require_rates
from service.parts import Parts

router = APIRouter(prefix="/v1/models", tags=["models"])
Reader = Annotated[Caller, needs(Scope.AUDIT_READ, Scope.MODELS_WRITE)]
Writer = Annotated[Caller, needs(Scope.MODELS_WRITE)]
Decided = Literal["match", "refer", "no_match"]


class SaidOften(BaseModel):
    """How often the active model said one thing and the candidate another."""

    kind: Literal["checkin", "verify"]
    active: Decided
    candidate: Literal["match", "refer", "no_match", "no_template", "failed", "dropped"]
    n: int


class ShadowReport(BaseModel):
    """One time in the shadow."""

    state: Literal["running", "ended"]
    active_id: str
    started_at: datetime
    ended_at: datetime | None
    subjects: int = Field(description="with a template of the candidate: only they are compared")
    subjects_lacking: int = Field(description="without one, for no crop of them is kept: see `lacking`")
    compared: int = Field(description="faces on which both decided")
    agreed: Rate = Field(description="both match, or neither does")
    active_missed: Rate = Field(description="no match by the active model, of those compared")
    candidate_missed: Rate = Field(description="no match by the candidate, of those compared")
    no_template: int
    failed: int = Field(description="the candidate's template does not open")
    dropped: int = Field(description="not looked at, because there was too much else to do")
    said: list[SaidOften]
    disagreements_kept: int


class ModelShadow(BaseModel):
    """A model's newest time in the shadow; null where it never was."""

    model_id: str
    shadow: ShadowReport | None


class ShadowDisagreement(Scored):
    """A check-in on which one of the two matched and the other did not."""

    checkin_id: UUID
    session_id: UUID
    active: Decided
    candidate: Decided
    d: float = Field(ge=0, le=4, description="under the candidate", json_schema_extra=SCORE)


class ShadowDisagreements(BaseModel):
    """One page, the newest first."""

    items: list[ShadowDisagreement]
    next_cursor: str | None


@router.get("/{model_id}/shadow", response_model=ModelShadow)
def show_model_shadow(parts: PartsHere, caller: Reader, model_id: str) -> ModelShadow:
    """What a candidate said in the shadow of the active model."""
    parts.models.find(model_id)
    return shadow_of(parts, model_id)


@router.get("/{model_id}/shadow/disagreements", response_model=ShadowDisagreements)
def list_shadow_disagreements(
    parts: PartsHere, caller: Reader, model_id: str, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The check-ins on which both disagreed, while their evidence is kept."""
    parts.models.find(model_id)
    with parts.database.read() as db:
        shadow = find_newest(db, model_id)
        found = find_disagreements(db, shadow.id, limit + 1, read_id(cursor)) if shadow else []
    items, following = page_of(found, limit, lambda one: one[0])
    shown = [
        ShadowDisagreement(
            checkin_id=one.checkin_id,
            session_id=one.session_id,
            active=one.active,  # type: ignore[arg-type]
            candidate=one.candidate,  # type: ignore[arg-type]
            d=one.d,
        )
        for _, one in items
    ]
    return shown_to(ShadowDisagreements(items=shown, next_cursor=following), caller)


@router.post("/{model_id}/shadow", response_model=ModelShadow, status_code=201)
def start_model_shadow(
    request: Request, parts: PartsHere, caller: Writer, model_id: str, once: OnceHere
) -> Response:
    """Let a candidate look at what is decided from now on; one at a time."""

    def work(_: UUID) -> Answer:
        # Its files and its calibration are looked at before anything is written.
        require_rates(open_kept(parts.models.find(model_id), parts.settings), parts.settings)
        with parts.database.write() as db:
            start_shadow(db, model_id, actor=caller.actor, request_id=request.state.request_id)
        return answer(shadow_of(parts, model_id), 201, reader=caller)

    return once.run([], work)


@router.delete("/{model_id}/shadow", response_model=ModelShadow)
def end_model_shadow(request: Request, parts: PartsHere, caller: Writer, model_id: str) -> ModelShadow:
    """Take a candidate out of the shadow; what was counted stays."""
    parts.models.find(model_id)
    with parts.database.write() as db:
        end_shadow(db, model_id, actor=caller.actor, request_id=request.state.request_id)
    return shadow_of(parts, model_id)


def shadow_of(parts: Parts, model_id: str) -> ModelShadow:
    """A model's newest time in the shadow as it is shown."""
    with parts.database.read() as db:
        shadow = find_newest(db, model_id)
        if shadow is None:
            return ModelShadow(model_id=model_id, shadow=None)
        said = [
            SaidOften(kind=kind, active=active, candidate=candidate, n=n)  # type: ignore[arg-type]
            for (kind, active, candidate), n in sorted(read_answers(db, shadow.id).items())
        ]
        return ModelShadow(
            model_id=model_id,
            shadow=report_of(
                shadow,
                said,
                subjects=coverage_of(db, model_id, find_active_id(db)).subjects,
                lacking=len(find_subjects_lacking(db, model_id)),
                kept=count_disagreements(db, shadow.id),
            ),
        )


def report_of(
    shadow: Shadow, said: list[SaidOften], *, subjects: int, lacking: int, kept: int
) -> ShadowReport:
    """The counts, and what they come to."""
    both = [one for one in said if one.candidate not in (NO_TEMPLATE, FAILED, DROPPED)]
    compared = sum(one.n for one in both)

    def share(of_these: list[SaidOften]) -> Rate:
        return Rate.counted(sum(one.n for one in of_these), compared)

    def without(answer: str) -> int:
        return sum(one.n for one in said if one.candidate == answer)

    return ShadowReport(
        state="running" if shadow.ended_at is None else "ended",
        active_id=shadow.active_id,
        started_at=shadow.started_at,
        ended_at=shadow.ended_at,
        subjects=subjects,
        subjects_lacking=lacking,
        compared=compared,
        agreed=share([one for one in both if (one.active == "match") == (one.candidate == "match")]),
        active_missed=share([one for one in both if one.active != "match"]),
        candidate_missed=share([one for one in both if one.candidate != "match"]),
        no_template=without(NO_TEMPLATE),
        failed=without(FAILED),
        dropped=without(DROPPED),
        said=said,
        disagreements_kept=kept,
    )
