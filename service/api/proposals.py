"""/v1/proposals, and the links by which people send a picture for their own enrolment."""

import io
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from index.subjects.enrolment_links import EnrolmentLink
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import Scope
from service.api.answers import answer, media_type_of
from service.api.cursors import page_of, read_id
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, SubjectHere, needs
from service.api.templates import TemplateFacts
from service.cards.qr_codes import draw_qr_code
from service.exams.roster.readiness import subjects_without_template
from service.matching.self_enrolment import ComparedWith, accept_proposal, refuse_proposal
from service.sheets.spreadsheet import SheetWriter

router = APIRouter(prefix="/v1", tags=["self-enrolment"])

COLUMNS = ("external_id", "display_name", "url", "expires_at")
Days = Annotated[int, Query(ge=1, le=60, description="how long the link works")]
Direct = Annotated[
    bool,
    Query(description="enrol at once what matches the portrait that is kept; only of whom one is kept"),
]
Enroller = Annotated[Caller, needs(Scope.ENROL)]


class EnrolmentLinkDocument(BaseModel):
    """A link by which a person sends one picture; it is shown once, and cannot be shown again."""

    subject_id: UUID
    external_id: str | None
    display_name: str | None
    url: str
    expires_at: datetime
    direct: bool = Field(
        description="a picture that matches the kept portrait is enrolled at once; else it is a proposal"
    )


class NewEnrolmentLink(EnrolmentLinkDocument):
    """A link and its QR code, for a phone at the counter or a letter."""

    qr: str = Field(description="the link as a QR code: an SVG document")


class EnrolmentLinkList(BaseModel):
    """Links for everybody of a roster who has no template."""

    items: list[EnrolmentLinkDocument]
    next_cursor: None = None


class ConsentDocument(BaseModel):
    """What the sender has agreed to."""

    model_config = ConfigDict(extra="allow")

    text: str = Field(description="SHA-256 of the text that was shown")
    language: str
    at: datetime


class ProposalDocument(BaseModel):
    """A picture that somebody has sent, and that waits for a person; nobody is compared with it."""

    id: UUID
    subject_id: UUID
    external_id: str | None
    display_name: str | None
    consent: ConsentDocument
    created_at: datetime
    expires_at: datetime
    templates: int = Field(description="how many templates the person has already")
    has_portrait: bool = Field(description="whether a portrait, or a crop of an earlier enrolment, is kept")


class ProposalList(BaseModel):
    """One page of proposals, oldest first."""

    items: list[ProposalDocument]
    next_cursor: str | None


class Acceptance(BaseModel):
    """What the picture was compared with by the person who accepts it."""

    model_config = ConfigDict(extra="forbid")

    compared_with: ComparedWith
    force_reason: Annotated[str, Field(min_length=3, max_length=500)] | None = Field(
        default=None, description="why to enrol although another subject has this face, or the own is another"
    )


class Refusal(BaseModel):
    """Why a picture is refused."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None


@router.post("/subjects/{subject}/enrolment-link", status_code=201, response_model=NewEnrolmentLink)
def issue_enrolment_link(
    request: Request,
    parts: PartsHere,
    caller: Enroller,
    subject: SubjectHere,
    once: OnceHere,
    days: Days = 14,
    direct: Direct = False,
) -> Response:
    """A link for the person alone, in place of a former one: one picture, ten attempts, and an end."""

    def work(_: UUID) -> Answer:
        found = parts.subjects.find(subject)
        if direct:
            parts.portraits.find(found.id)
        (link,) = issue(request, parts, caller, [found.id], days, direct=direct)
        document = NewEnrolmentLink(**vars(link), qr=draw_qr_code(link.url))
        return answer(document, 201, subject_id=found.id)

    return once.run([], work)


@router.post(
    "/sessions/{session_id}/enrolment-links",
    status_code=201,
    response_model=EnrolmentLinkList,
    responses={201: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def issue_enrolment_links(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL, Scope.EXAMS_WRITE)],
    session_id: UUID,
    once: OnceHere,
    days: Days = 14,
    direct: Direct = False,
    as_csv: Annotated[bool, Query(description="answer with a list for a mail merge")] = False,
) -> Response:
    """A link for everybody of the roster without a template who may be enrolled."""

    def work(_: UUID) -> Answer:
        people = subjects_without_template(parts.desk, session_id)
        documents = issue(request, parts, caller, people, days, direct=direct)
        if as_csv:
            headers = {
                "content-type": "text/csv; charset=utf-8",
                "content-disposition": 'attachment; filename="enrolment-links.csv"',
            }
            return Answer(201, sheet_of(documents), headers)
        return answer(EnrolmentLinkList(items=documents), 201)

    return once.run([], work)


@router.get("/proposals", response_model=ProposalList)
def list_proposals(
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.ENROL)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ProposalList:
    """Pictures that people have sent and that wait, oldest first."""
    found = parts.proposals.page(limit=limit + 1, after=read_id(cursor))
    if not caller.may(Scope.SUBJECTS_READ):
        found = [replace(one, external_id=None, display_name=None) for one in found]
    page, following = page_of(found, limit, lambda one: one.id)
    return ProposalList(
        items=[ProposalDocument.model_validate(vars(one)) for one in page], next_cursor=following
    )


@router.get(
    "/proposals/{proposal_id}/picture",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def show_proposal_picture(
    request: Request, parts: PartsHere, caller: Enroller, proposal_id: UUID
) -> Response:
    """The picture that was sent; that somebody has looked goes into the audit trail."""
    picture = parts.proposals.open_picture(
        proposal_id, actor=caller.actor, request_id=request.state.request_id
    )
    return Response(picture, media_type="image/jpeg", headers={"cache-control": "no-store"})


@router.get(
    "/proposals/{proposal_id}/portrait",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "image/png": {}}}},
)
def show_proposal_portrait(
    request: Request, parts: PartsHere, caller: Enroller, proposal_id: UUID
) -> Response:
    """The office's portrait of the person, or the kept crop of an enrolment, to look at beside it."""
    picture = parts.proposals.open_portrait(
        proposal_id, actor=caller.actor, request_id=request.state.request_id
    )
    return Response(picture, media_type=media_type_of(picture), headers={"cache-control": "no-store"})


@router.post("/proposals/{proposal_id}/accept", status_code=201, response_model=TemplateFacts)
def accept_sent_picture(
    request: Request,
    parts: PartsHere,
    caller: Enroller,
    proposal_id: UUID,
    decision: Acceptance,
    once: OnceHere,
) -> Response:
    """Enrol the picture, which the caller has compared with a portrait or a document."""

    def work(_: UUID) -> Answer:
        made = accept_proposal(
            parts,
            proposal_id,
            decision.compared_with,
            decision.force_reason,
            actor=caller.actor,
            request_id=request.state.request_id,
        )
        document = TemplateFacts.model_validate(made, from_attributes=True)
        return answer(document, 201, subject_id=made.subject_id)

    return once.run([decision.model_dump_json().encode()], work)


@router.post("/proposals/{proposal_id}/refuse", status_code=204)
def refuse_sent_picture(
    request: Request,
    parts: PartsHere,
    caller: Enroller,
    proposal_id: UUID,
    decision: Refusal,
    once: OnceHere,
) -> Response:
    """Remove the picture; the person can be sent another link."""

    def work(_: UUID) -> Answer:
        refuse_proposal(
            parts, proposal_id, decision.reason, actor=caller.actor, request_id=request.state.request_id
        )
        return answer(None, 204)

    return once.run([decision.model_dump_json().encode()], work)


def issue(
    request: Request, parts: PartsHere, caller: Caller, people: list[UUID], days: int, *, direct: bool
) -> list[EnrolmentLinkDocument]:
    """Links for these people, with number and name for the letter."""
    links = parts.enrolment_links.issue(
        people, days=days, actor=caller.actor, request_id=request.state.request_id, direct=direct
    )
    names = parts.subjects.names_of(people) if caller.may(Scope.SUBJECTS_READ) else {}
    base = (parts.settings.public_url or str(request.base_url)).rstrip("/")
    return [document_of(link, base, *names.get(link.subject_id, (None, None))) for link in links]


def document_of(
    link: EnrolmentLink, base: str, external_id: str | None, display_name: str | None
) -> EnrolmentLinkDocument:
    """A link as it is shown once. Its secret is behind `#`: no proxy and no log sees it."""
    return EnrolmentLinkDocument(
        subject_id=link.subject_id,
        external_id=external_id,
        display_name=display_name,
        url=f"{base}/enrol/#{link.token}",
        expires_at=link.expires_at,
        direct=link.direct,
    )


def sheet_of(documents: list[EnrolmentLinkDocument]) -> bytes:
    """The links as CSV, each cell inert."""
    target = io.StringIO()
    sheet = SheetWriter(target, COLUMNS)
    for one in documents:
        sheet.write((one.external_id, one.display_name, one.url, one.expires_at.isoformat()))
    return target.getvalue().encode("utf-8-sig")
