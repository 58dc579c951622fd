"""/v1/subjects/{subject}/cards: further numbers of one person, such as a library card's or a chip's."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.exams import origin_of
from service.api.inputs import PartsHere, SubjectHere, needs
from service.exams.checkin import numbers
from service.fields import Label

router = APIRouter(prefix="/v1/subjects/{subject}/cards", tags=["subjects"])
MOST_CARDS = 20


class Cards(BaseModel):
    """All further numbers of one person; at the door each is as good as the external id."""

    model_config = ConfigDict(extra="forbid")

    cards: Annotated[list[Label], Field(max_length=MOST_CARDS)]


@router.get("", response_model=Cards)
def list_cards(
    parts: PartsHere, caller: Annotated[Caller, needs(Scope.SUBJECTS_READ)], subject: SubjectHere
) -> Cards:
    """The further numbers of a person."""
    return Cards(cards=numbers.cards_of(parts.database, parts.subjects.id_of(subject)))


@router.put("", response_model=Cards)
def set_cards(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL)],
    subject: SubjectHere,
    given: Cards,
) -> Cards:
    """Give a person these further numbers in place of the former; none is an answer to a lost card."""
    subject_id = parts.subjects.id_of(subject)
    set_now = numbers.set_cards(parts.database, subject_id, given.cards, origin_of(request, caller))
    return Cards(cards=set_now)
