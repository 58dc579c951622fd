"""/v1/subjects: the people of the gallery."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from index.consent.legal_basis import BasisState
from index.subjects.listing import Mark, Order, Wanted, build_mark
from index.subjects.subjects import Subject
from index.tables import utc_now
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer
from service.api.cursors import not_given_out, page_of, read_cursor
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, SubjectHere, needs
from service.exams.holds import find_holds_of_person
from service.fields import JsonObject
from service.parts import Parts

router = APIRouter(prefix="/v1/subjects", tags=["subjects"])

Text = Annotated[str, Field(min_length=1, max_length=255)]


def in_the_past(moment: datetime) -> datetime:
    """Refuse a withdrawal that is still to come: it works at once."""
    if moment > utc_now():
        raise ValueError("a withdrawal cannot lie in the future")
    return moment


PastMoment = Annotated[AwareDatetime, AfterValidator(in_the_past)]


class LegalBasis(BaseModel):
    """Why this person may be enrolled, and until when."""

    model_config = ConfigDict(extra="forbid")

    basis: Text = Field(description="such as consent, contract or legal obligation")
    reference: Text | None = None
    expires_at: AwareDatetime | None = None
    training: bool | None = Field(
        default=None, description="whether kept pictures may also train a model; needs a reference"
    )
    withdrawn_at: PastMoment | None = Field(
        default=None, description="when the person has withdrawn: templates and crops go before the answer"
    )


class SubjectFields(BaseModel):
    """What a caller may say about a subject; all of it is optional."""

    model_config = ConfigDict(extra="forbid")

    external_id: Text | None = Field(default=None, description="the caller's own id; unique")
    display_name: Text | None = None
    metadata: JsonObject | None = Field(default=None, description="a JSON object of at most 16 kB")
    legal_basis: LegalBasis | None = None

    def given(self) -> dict[str, Any]:
        """The fields that were sent, as JSON values; null empties a field, an absent one stays."""
        fields = self.model_dump(mode="json", exclude_unset=True)
        if fields.get("legal_basis"):
            fields["legal_basis"].pop("withdrawn_at", None)
        return fields

    @property
    def withdrawn_at(self) -> datetime | None:
        """When the person has withdrawn, where that was sent."""
        return self.legal_basis.withdrawn_at if self.legal_basis else None


class SubjectDocument(BaseModel):
    """A subject, without templates."""

    id: UUID
    external_id: str | None
    display_name: str | None
    metadata: dict[str, Any] | None
    legal_basis: LegalBasis | None
    legal_basis_state: BasisState = Field(
        description="after `expired` and `withdrawn` the person is left out of every comparison"
    )
    withdrawn_at: datetime | None
    templates: int
    enrolled_at: datetime | None = Field(description="when the newest template was enrolled")
    is_poor: bool = Field(
        description="there are templates, each from a picture that would not be enrolled today"
    )
    twins: int = Field(description="how many others are enrolled in spite of the same face")
    portrait_at: datetime | None = Field(description="when the office has put a portrait; null: none is kept")
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, subject: Subject) -> "SubjectDocument":
        """A subject as it is shown."""
        document = cls.model_validate(vars(subject))
        if document.legal_basis is not None:
            document.legal_basis.withdrawn_at = subject.withdrawn_at
        return document


class SubjectList(BaseModel):
    """One page of subjects, in the order they were added."""

    items: list[SubjectDocument]
    next_cursor: str | None


class TwinDocument(BaseModel):
    """Another subject with the same face, and why both are enrolled."""

    subject_id: UUID
    external_id: str | None
    display_name: str | None
    reason: str
    created_at: datetime | None


class TwinList(BaseModel):
    """The twins of one subject; there are never so many that they need pages."""

    items: list[TwinDocument]
    next_cursor: None = None


class Receipt(BaseModel):
    """Proof of an erasure; it holds nothing of the person but the id."""

    subject_id: UUID
    erased_at: datetime
    templates: int
    crops: int = Field(description="kept crops that were erased with it")
    responses: int = Field(description="kept answers to earlier requests that were erased with it")
    audit_seq: int = Field(description="the event of the erasure in the audit chain")


Contains = Annotated[
    str | None, Query(alias="q", min_length=1, max_length=255, description="text in id or name")
]


@router.post("", status_code=201, response_model=SubjectDocument)
def add_subject(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL)],
    new: SubjectFields,
    once: OnceHere,
) -> Response:
    """Add a subject; a face comes with the first template."""

    def work(subject_id: UUID) -> Answer:
        subject = parts.subjects.add(
            **new.given(), actor=caller.actor, subject_id=subject_id, request_id=request.state.request_id
        )
        subject = withdrawn(parts, caller, subject, new, request.state.request_id)
        headers = {"location": f"/v1/subjects/{subject.id}"}
        return answer(SubjectDocument.of(subject), 201, headers, subject_id=subject.id)

    return once.run([new.model_dump_json(exclude_unset=True).encode()], work)


@router.get("", response_model=SubjectList)
def list_subjects(
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.SUBJECTS_READ)],
    limit: Limit = 50,
    cursor: Cursor = None,
    external_id: Annotated[str | None, Query(max_length=255)] = None,
    contains: Contains = None,
    has_template: bool | None = None,
    is_poor: Annotated[
        bool | None,
        Query(
            description="only those whose templates are all from pictures that would not be enrolled today"
        ),
    ] = None,
    has_twin: Annotated[
        bool | None, Query(description="only those enrolled in spite of another with the same face")
    ] = None,
    legal_basis: Annotated[
        list[BasisState] | None, Query(description="only those whose legal basis stands so, or so")
    ] = None,
    sort: Annotated[Order, Query(description="`-added`: the newest first")] = Order.ADDED,
) -> SubjectList:
    """Subjects, all of them or those that were asked for."""
    wanted = Wanted(external_id, contains, has_template, is_poor, has_twin, legal_basis or ())
    found = parts.subjects.page(wanted, limit=limit + 1, order=sort, after=read_mark(cursor))
    page, following = page_of(found, limit, lambda one: write_mark(sort, one))
    return SubjectList(items=[SubjectDocument.of(subject) for subject in page], next_cursor=following)


def write_mark(order: Order, subject: Subject) -> str:
    """A subject's place in a list, as the text of a cursor."""
    mark = build_mark(order, subject.id, subject.external_id, subject.display_name)
    return f"{mark.subject_id} {mark.key}"


def read_mark(cursor: str | None) -> Mark | None:
    """The place that a cursor stands for; None for the first page.

    Raises:
        InvalidRequest: If no list has given the cursor out.
    """
    if cursor is None:
        return None
    subject_id, _, key = read_cursor(cursor).partition(" ")
    try:
        return Mark(key, UUID(subject_id))
    except ValueError as error:
        raise not_given_out() from error


@router.get("/{subject}", response_model=SubjectDocument)
def show_subject(
    parts: PartsHere, caller: Annotated[Caller, needs(Scope.SUBJECTS_READ)], subject: SubjectHere
) -> SubjectDocument:
    """One subject."""
    return SubjectDocument.of(parts.subjects.find(subject))


@router.get("/{subject}/twins", response_model=TwinList)
def list_twins(
    parts: PartsHere, caller: Annotated[Caller, needs(Scope.SUBJECTS_READ)], subject: SubjectHere
) -> TwinList:
    """Who is enrolled in spite of this subject's face, and why."""
    found = parts.subjects.twins_of(parts.subjects.id_of(subject))
    return TwinList(items=[TwinDocument.model_validate(vars(one)) for one in found])


@router.patch("/{subject}", response_model=SubjectDocument)
def change_subject(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL)],
    subject: SubjectHere,
    changes: SubjectFields,
) -> SubjectDocument:
    """Change the fields that are sent; null empties one."""
    changed = parts.subjects.change(
        subject, **changes.given(), actor=caller.actor, request_id=request.state.request_id
    )
    return SubjectDocument.of(withdrawn(parts, caller, changed, changes, request.state.request_id))


def withdrawn(
    parts: Parts, caller: Caller, subject: Subject, sent: SubjectFields, request_id: str
) -> Subject:
    """The subject, whose consent has ended where the sent basis says so."""
    if sent.withdrawn_at is None:
        return subject
    parts.gallery.withdraw(
        subject.id, actor=caller.actor, withdrawn_at=sent.withdrawn_at, request_id=request_id
    )
    parts.note_anchor()
    return parts.subjects.find(subject.id)


@router.delete("/{subject}", response_model=Receipt)
def erase_subject(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL)],
    subject: SubjectHere,
    despite_hold: Annotated[
        str | None,
        Query(
            min_length=3,
            max_length=500,
            description="why somebody on hold is erased all the same; takes an administrator",
        ),
    ] = None,
) -> Receipt:
    """Erase a subject: row, templates, vectors and kept answers are gone before this answers.

    Who is on hold, or a candidate of an exam that is, is erased only by an administrator who says why.
    """
    if despite_hold is not None:
        caller.require((Scope.ADMIN,))
    found = parts.subjects.find(subject)
    receipt = parts.gallery.erase(
        found.id,
        actor=caller.actor,
        request_id=request.state.request_id,
        despite_hold=despite_hold,
        find_holds=find_holds_of_person,
    )
    # Before the answer: a backup that is put back tomorrow must not bring the person back.
    parts.note_anchor()
    return Receipt.model_validate(vars(receipt))
