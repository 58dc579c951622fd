"""/v1/operators: the people who sign in. A link is shown once, in the answer that makes it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.invitations import Link
from service.access.operators import OperatorFacts, OperatorTerms
from service.access.roles import Role
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.cursors import page_of, read_id
from service.api.exams import origin_of
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, needs
from service.exams.exams import find_exam
from service.fields import PersonName
from service.parts import Parts

router = APIRouter(prefix="/v1/operators", tags=["operators"])
Admin = Annotated[Caller, needs(Scope.ADMIN)]
JOIN = "/console#/join/"
"""Where a link leads to. What stands behind the hash is not sent to any server, nor logged by one."""
MOST_EXAMS = 200

Exams = Annotated[
    list[UUID] | None,
    Field(max_length=MOST_EXAMS, description="the only exams an invigilator sees; null for all"),
]


class NewOperator(BaseModel):
    """Whom to invite."""

    model_config = ConfigDict(extra="forbid")

    login: PersonName = Field(description="the name to sign in by, for example an e-mail address; it stays")
    name: PersonName
    role: Role
    exam_ids: Exams = None


class OperatorChanges(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: PersonName | None = None
    role: Role | None = None
    exam_ids: Exams = None


class OperatorDocument(BaseModel):
    """An operator, without what signs in."""

    id: UUID
    login: str
    name: str
    role: Role
    exam_ids: list[UUID] | None
    has_password: bool
    has_second_factor: bool
    issuer: str | None = Field(description="the OpenID Connect issuer that signs this operator in")
    invited_until: datetime | None = Field(description="until when the link works that was not used yet")
    created_at: datetime
    last_signed_in_at: datetime | None
    ended_at: datetime | None


class InvitedOperator(OperatorDocument):
    """An operator with the link to send, which works once and cannot be shown again."""

    link: str = Field(description="path and fragment on this host")
    link_expires_at: datetime


class OperatorList(BaseModel):
    """One page of operators."""

    items: list[OperatorDocument]
    next_cursor: str | None


@router.post("", status_code=201, response_model=InvitedOperator)
def create_operator(
    request: Request, parts: PartsHere, caller: Admin, new: NewOperator, once: OnceHere
) -> Response:
    """Invite somebody. The answer has the link by which the person sets a password, for seven days."""

    def work(operator_id: UUID) -> Answer:
        require_exams(parts, new.exam_ids)
        terms = OperatorTerms(new.login, new.name, new.role, exams_of(new.exam_ids))
        return answer(invited(*parts.invitations.create(terms, origin_of(request, caller), operator_id)), 201)

    return once.run([new.model_dump_json().encode()], work)


@router.get("", response_model=OperatorList)
def list_operators(parts: PartsHere, caller: Admin, limit: Limit = 50, cursor: Cursor = None) -> OperatorList:
    """The operators in the order they were invited, ended ones too."""
    found = parts.operators.page(limit + 1, read_id(cursor))
    items, following = page_of(found, limit, lambda one: one.id)
    return OperatorList(items=[document(one) for one in items], next_cursor=following)


@router.get("/{operator_id}", response_model=OperatorDocument)
def show_operator(parts: PartsHere, caller: Admin, operator_id: UUID) -> OperatorDocument:
    """One operator."""
    return document(parts.operators.find(operator_id))


@router.patch("/{operator_id}", response_model=OperatorDocument)
def change_operator(
    request: Request, parts: PartsHere, caller: Admin, operator_id: UUID, changes: OperatorChanges
) -> OperatorDocument:
    """Change a name, a role or the exams; who may do something else now is signed out at once."""
    require_exams(parts, changes.exam_ids)
    facts = parts.operators.change(
        operator_id,
        origin_of(request, caller),
        name=changes.name,
        role=changes.role,
        exam_ids=exams_of(changes.exam_ids),
        changes_exams="exam_ids" in changes.model_fields_set,
    )
    return document(facts)


@router.post("/{operator_id}/reset", response_model=InvitedOperator)
def reset_operator(
    request: Request, parts: PartsHere, caller: Admin, operator_id: UUID, once: OnceHere
) -> Response:
    """Forget password and second factor, sign out, and give a new link in place of every former one."""

    def work(_: UUID) -> Answer:
        return answer(invited(*parts.invitations.reset(operator_id, origin_of(request, caller))))

    return once.run([], work)


@router.delete("/{operator_id}", response_model=OperatorDocument)
def end_operator(request: Request, parts: PartsHere, caller: Admin, operator_id: UUID) -> OperatorDocument:
    """End an operator: from this answer on there is no page, board or sign-in, in any process."""
    ended = parts.operators.end(operator_id, origin_of(request, caller))
    parts.note_anchor()
    return document(ended)


def require_exams(parts: Parts, exam_ids: list[UUID] | None) -> None:
    """Refuse exams that there are not.

    Raises:
        ExamNotFound: Naming the first.
    """
    for exam_id in exam_ids or ():
        find_exam(parts.desk, exam_id)


def exams_of(exam_ids: list[UUID] | None) -> tuple[UUID, ...] | None:
    """The exams as operators have them."""
    return None if exam_ids is None else tuple(exam_ids)


def document(facts: OperatorFacts) -> OperatorDocument:
    """An operator as it is shown."""
    return OperatorDocument.model_validate(vars(facts))


def invited(facts: OperatorFacts, link: Link) -> InvitedOperator:
    """An operator with a new link."""
    return InvitedOperator.model_validate(
        {**vars(facts), "link": JOIN + link.token, "link_expires_at": link.expires_at}
    )
