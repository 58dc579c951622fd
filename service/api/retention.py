"""/v1/retention and /v1/holds: what is kept until when, and what is kept from every sweep."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from index.jobs.folders import find_job_folders
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.cursors import page_of, read_id
from service.api.exams import origin_of
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, needs
from service.exams import holds
from service.exams.evidence import overview
from service.exams.evidence.overview import ExamRetention, Retention, Rules, Standing
from service.exams.holds import Hold, NewHold, Why

router = APIRouter(prefix="/v1", tags=["retention"])
Reader = Annotated[Caller, needs(Scope.EXAMS_WRITE, Scope.AUDIT_READ)]
Keeper = Annotated[Caller, needs(Scope.EXAMS_WRITE)]


class ExamRetentionList(BaseModel):
    """One page of exams, the newest first."""

    items: list[ExamRetention]
    next_cursor: str | None


class HoldList(BaseModel):
    """One page of holds, the newest first."""

    items: list[Hold]
    next_cursor: str | None


class Lifting(BaseModel):
    """Why a hold is lifted."""

    model_config = ConfigDict(extra="forbid")

    reason: Why


@router.get("/retention", response_model=Retention)
def show_retention(parts: PartsHere, _: Reader) -> Retention:
    """Each kind of data: how much is kept, what the next sweep announces, what goes when, what is on hold."""
    settings = parts.settings
    rules = Rules(
        crop_days=settings.crop_retention_days if settings.store_crops else None,
        erase_days=settings.erase_expired_after_days,
        answer_hours=settings.idempotency_hours,
        job_folders=len(list(find_job_folders(settings.data_dir))),
    )
    return overview.survey(parts.database, rules)


@router.get("/retention/exams", response_model=ExamRetentionList)
def list_exam_retention(
    parts: PartsHere,
    _: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    standing: Annotated[Standing | None, Query(description="only those that stand so")] = None,
) -> ExamRetentionList:
    """What is kept of each exam and until when, the archive's among them, the newest first."""
    found = overview.exams_page(parts.database, limit + 1, read_id(cursor), standing=standing)
    items, following = page_of(found, limit, lambda one: one.exam_id)
    return ExamRetentionList(items=items, next_cursor=following)


@router.get("/holds", response_model=HoldList)
def list_holds(
    parts: PartsHere,
    _: Annotated[Caller, needs(Scope.EXAMS_WRITE, Scope.AUDIT_READ, Scope.SUBJECTS_READ)],
    limit: Limit = 50,
    cursor: Cursor = None,
    lifted: Annotated[bool, Query(description="those that were lifted instead of those in force")] = False,
    exam_id: UUID | None = None,
    subject_id: UUID | None = None,
) -> HoldList:
    """What is kept from every sweep, for whom and why."""
    found = holds.list_holds(
        parts.database, limit + 1, read_id(cursor), lifted=lifted, exam_id=exam_id, subject_id=subject_id
    )
    items, following = page_of(found, limit, lambda one: one.id)
    return HoldList(items=items, next_cursor=following)


@router.post("/holds", status_code=201, response_model=Hold)
def put_hold(request: Request, parts: PartsHere, caller: Keeper, new: NewHold, once: OnceHere) -> Response:
    """Keep an exam or a subject from every sweep, for an appeal, a complaint or a court.

    An exam waits as a whole for a candidate on hold. A withdrawal of consent goes through all the same.
    """

    def work(hold_id: UUID) -> Answer:
        made = holds.put_hold(parts.database, new, origin_of(request, caller), hold_id)
        return answer(made, 201, subject_id=made.subject_id)

    return once.run([new.model_dump_json().encode()], work)


@router.post("/holds/{hold_id}/lift", response_model=Hold)
def lift_hold(
    request: Request, parts: PartsHere, caller: Keeper, hold_id: UUID, why: Lifting, once: OnceHere
) -> Response:
    """End a hold: what is past its time is announced again, and goes a day later at the earliest."""

    def work(_: UUID) -> Answer:
        lifted = holds.lift_hold(parts.database, hold_id, why.reason, origin_of(request, caller))
        return answer(lifted, subject_id=lifted.subject_id)

    return once.run([why.model_dump_json().encode()], work)
