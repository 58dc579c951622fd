"""What leaves as a file: a session's report, who was there, one candidate's evidence."""

import re
import unicodedata
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote, unquote
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from index.subjects.subjects import ExternalId
from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.exams import Staff, origin_of
from service.api.inputs import PartsHere, SubjectHere, needs
from service.decisions.scores import body_for
from service.errors import InvalidRequest
from service.exams.evidence.attendance import attendance_csv, attendance_pdf, room_of, rooms_of
from service.exams.evidence.csv_report import report_csv
from service.exams.evidence.export import Evidence, export_evidence
from service.exams.evidence.person import PersonFile, export_person
from service.exams.evidence.person_pdf import PersonStyle, person_pdf
from service.exams.evidence.pilot import PilotReport, pilot_report
from service.exams.evidence.session_report import ReportStyle, SessionReport, report_pdf, session_report
from service.exams.evidence.sheet import SheetStyle, pictures_of, sheet_pdf
from service.exams.exams import find_exam
from service.exams.roster.readiness import exam_readiness, readiness
from service.exams.roster.readiness_csv import readiness_csv
from service.exams.schemas import Exam, Session
from service.exams.sessions import find_session
from service.languages import RIGHT_TO_LEFT, choose_language, texts
from service.parts import Parts

router = APIRouter(prefix="/v1", tags=["reports"])


class Separator(StrEnum):
    """What stands between the cells of a CSV: Excel takes a semicolon where the decimal sign is a comma."""

    COMMA = "comma"
    SEMICOLON = "semicolon"
    TAB = "tab"


DELIMITERS = {Separator.COMMA: ",", Separator.SEMICOLON: ";", Separator.TAB: "\t"}
Separated = Annotated[Separator, Query(description="between the cells")]


async def zone_named(
    zone: Annotated[
        str,
        Query(max_length=64, description="times are those of this zone (IANA)", examples=["Europe/Berlin"]),
    ] = "UTC",
) -> ZoneInfo:
    """The time zone that is asked for.

    Raises:
        InvalidRequest: If there is none of this name.
    """
    if zone not in available_timezones():
        raise InvalidRequest("/query/zone", "zone_unknown", f"There is no time zone {zone!r}.")
    return ZoneInfo(zone)


Zone = Annotated[ZoneInfo, Depends(zone_named)]
Photographs = Annotated[
    bool, Query(description="with the kept pictures of the enrolments; takes `override` or `audit:read`")
]
Auditor = Annotated[Caller, needs(Scope.AUDIT_READ)]
CSV_ANSWER = {"text/csv": {"schema": {"type": "string"}}}
PDF_ANSWER = {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}


@router.get("/sessions/{session_id}/report", response_model=SessionReport)
def show_report(parts: PartsHere, caller: Staff, session_id: UUID) -> SessionReport:
    """How many candidates were verified within their tries, after how many, and how long it took."""
    return session_report(parts.desk, session_id)


@router.get(
    "/sessions/{session_id}/report.pdf",
    response_class=Response,
    responses={200: {"content": PDF_ANSWER, "description": "A4, in the language of the request."}},
)
def print_report(request: Request, parts: PartsHere, caller: Staff, session_id: UUID, zone: Zone) -> Response:
    """The session's report, to print: transactions first, then a line for each candidate who tried."""
    report, language = session_report(parts.desk, session_id), choose_language(request)
    style = ReportStyle(words_of(language, "report."), language in RIGHT_TO_LEFT)
    name = file_name(report.session, zone, f"{style.words['file']}.pdf")
    return pdf_file(report_pdf(report, zone, style), name)


@router.get(
    "/sessions/{session_id}/report.csv",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/csv": {}},
            "description": "The session, each candidate's tries together, then each attempt and override.",
        }
    },
)
def download_report(
    parts: PartsHere, caller: Staff, session_id: UUID, zone: Zone, separator: Separated = Separator.COMMA
) -> StreamingResponse:
    """Transactions, then every attempt with its decision, every override; no cell is taken for a formula."""
    session = find_session(parts.desk, session_id)
    name = file_name(session, zone, "report.csv")
    scores = caller.may(Scope.SCORES_READ)
    lines = report_csv(parts.desk, session_id, scores=scores, delimiter=DELIMITERS[separator], zone=zone)
    return StreamingResponse(lines, media_type="text/csv", headers=download(name))


@router.get(
    "/sessions/{session_id}/attendance.pdf",
    response_class=Response,
    responses={200: {"content": PDF_ANSWER, "description": "A4, by seat."}},
)
def print_attendance(parts: PartsHere, caller: Staff, session_id: UUID, zone: Zone) -> Response:
    """Who was there, to print and to sign: in one room, by seat."""
    session = find_session(parts.desk, session_id)
    name = file_name(session, zone, "attendance.pdf")
    found = attendance_pdf(room_of(parts.desk, session_id), zone)
    return pdf_file(found, name)


@router.get(
    "/sessions/{session_id}/attendance.csv",
    response_class=Response,
    responses={200: {"content": CSV_ANSWER, "description": "One line for each candidate, by seat."}},
)
def list_attendance(
    parts: PartsHere, caller: Staff, session_id: UUID, zone: Zone, separator: Separated = Separator.COMMA
) -> Response:
    """Who was there, as a plain list: in one room, by seat."""
    session = find_session(parts.desk, session_id)
    name = file_name(session, zone, "attendance.csv")
    found = attendance_csv(room_of(parts.desk, session_id), zone, DELIMITERS[separator])
    return csv_file(found, name)


@router.get(
    "/sessions/{session_id}/sheet.pdf",
    response_class=Response,
    responses={200: {"content": PDF_ANSWER, "description": "A4, by seat, in the language of the request."}},
)
def print_sheet(
    request: Request,
    parts: PartsHere,
    caller: Staff,
    session_id: UUID,
    zone: Zone,
    photographs: Photographs = False,
) -> Response:
    """The room sheet, made before the day: QR codes of the numbers, and columns to write in by hand."""
    if photographs:
        caller.require([Scope.OVERRIDE, Scope.AUDIT_READ])
    session = find_session(parts.desk, session_id)
    (room,) = room_of(parts.desk, session_id)
    pictures = pictures_of(parts.desk, room, origin_of(request, caller)) if photographs else None
    style = sheet_style(choose_language(request), pictures)
    name = file_name(session, zone, f"{style.words['file']}.pdf")
    return pdf_file(sheet_pdf(room, zone, style), name)


@router.get(
    "/exams/{exam_id}/attendance.pdf",
    response_class=Response,
    responses={200: {"content": PDF_ANSWER, "description": "A4, each room on pages of its own."}},
)
def print_exam_attendance(parts: PartsHere, caller: Staff, exam_id: UUID, zone: Zone) -> Response:
    """Who was there, to print and to sign: in all rooms of an exam."""
    exam = find_exam(parts.desk, exam_id)
    name = exam_file_name(exam, zone, "attendance.pdf")
    found = attendance_pdf(rooms_of(parts.desk, exam_id), zone)
    return pdf_file(found, name)


@router.get(
    "/exams/{exam_id}/attendance.csv",
    response_class=Response,
    responses={200: {"content": CSV_ANSWER, "description": "One line for each candidate, by room and seat."}},
)
def list_exam_attendance(
    parts: PartsHere, caller: Staff, exam_id: UUID, zone: Zone, separator: Separated = Separator.COMMA
) -> Response:
    """Who was there, as a plain list: in all rooms of an exam."""
    exam = find_exam(parts.desk, exam_id)
    name = exam_file_name(exam, zone, "attendance.csv")
    found = attendance_csv(rooms_of(parts.desk, exam_id), zone, DELIMITERS[separator])
    return csv_file(found, name)


@router.get(
    "/sessions/{session_id}/readiness.csv",
    response_class=Response,
    responses={200: {"content": CSV_ANSWER, "description": "One line for each candidate."}},
)
def download_readiness(
    parts: PartsHere, caller: Staff, session_id: UUID, zone: Zone, separator: Separated = Separator.COMMA
) -> Response:
    """Who is ready and who is not, why, and how old the photographs are: in one room."""
    found = readiness(parts.desk, session_id)
    name = file_name(find_session(parts.desk, session_id), zone, "readiness.csv")
    lines = readiness_csv(parts.desk, [found], found.look_alikes, zone, DELIMITERS[separator])
    return csv_file(lines, name)


@router.get(
    "/exams/{exam_id}/readiness.csv",
    response_class=Response,
    responses={200: {"content": CSV_ANSWER, "description": "One line for each candidate of each room."}},
)
def download_exam_readiness(
    parts: PartsHere, caller: Staff, exam_id: UUID, zone: Zone, separator: Separated = Separator.COMMA
) -> Response:
    """Who is ready and who is not, why, and how old the photographs are: in all rooms of an exam."""
    found, exam = exam_readiness(parts.desk, exam_id), find_exam(parts.desk, exam_id)
    name = exam_file_name(exam, zone, "readiness.csv")
    lines = readiness_csv(parts.desk, found.sessions, found.look_alikes, zone, DELIMITERS[separator])
    return csv_file(lines, name)


@router.get("/sessions/{session_id}/pilot", response_model=PilotReport)
def show_pilot(parts: PartsHere, caller: Staff, session_id: UUID) -> PilotReport:
    """What the machine would have done in a pilot, beside what people decided."""
    return pilot_report(parts.desk, session_id)


@router.get("/subjects/{subject}/file", response_model=PersonFile)
def download_person_file(
    request: Request, parts: PartsHere, caller: Auditor, subject: SubjectHere
) -> Response:
    """Everything that is held about one person, over all exams; templates and pictures are named alone."""
    found = person_file(request, parts, caller, subject)
    headers = download(f"person-{found.subject_id}.json")
    return Response(body_for(found, caller), media_type="application/json", headers=headers)


@router.get(
    "/subjects/{subject}/file.pdf",
    response_class=Response,
    responses={200: {"content": PDF_ANSWER, "description": "A4, in the language of the request."}},
)
def print_person_file(
    request: Request, parts: PartsHere, caller: Auditor, subject: SubjectHere, zone: Zone
) -> Response:
    """The same on paper, to hand over to the person."""
    found = person_file(request, parts, caller, subject)
    language = choose_language(request)
    statuses = words_of(language, "need.") | words_of(language, "status.")
    style = PersonStyle(words_of(language, "person_file."), statuses, language in RIGHT_TO_LEFT)
    name = f"{found.external_id or found.subject_id} {style.words['file']}.pdf"
    return pdf_file(person_pdf(found, zone, style), name)


def person_file(request: Request, parts: Parts, caller: Caller, subject: UUID | ExternalId) -> PersonFile:
    """The person's file; that it was made is in the audit trail."""
    subject_id = parts.subjects.id_of(subject)
    return export_person(parts.desk, subject_id, origin_of(request, caller))


@router.get("/sessions/{session_id}/candidates/{external_id}/evidence", response_model=Evidence)
def download_evidence(
    request: Request,
    parts: PartsHere,
    caller: Auditor,
    session_id: UUID,
    external_id: Annotated[str, Path(description="The candidate's external id, percent-encoded.")],
) -> Response:
    """All that is known about one candidate of a session, with the digests that prove it, as one file."""
    found = export_evidence(parts.desk, session_id, unquote(external_id), origin_of(request, caller))
    headers = download(f"evidence-{found.candidate.entry_id}.json")
    return Response(body_for(found, caller), media_type="application/json", headers=headers)


def sheet_style(language: str, pictures: dict[UUID, bytes] | None) -> SheetStyle:
    """How a room sheet is printed for a reader of this language."""
    return SheetStyle(words_of(language, "sheet."), pictures, language in RIGHT_TO_LEFT)


def words_of(language: str, prefix: str) -> dict[str, str]:
    """The texts whose keys begin so, without that beginning."""
    return {
        key.removeprefix(prefix): str(text) for key, text in texts(language).items() if key.startswith(prefix)
    }


def file_name(session: Session, zone: ZoneInfo, kind: str) -> str:
    """What a session's file is called: the exam, the room, the day."""
    return f"{session.exam_name} {session.room} {session.opens_at.astimezone(zone):%Y-%m-%d} {kind}"


def exam_file_name(exam: Exam, zone: ZoneInfo, kind: str) -> str:
    """What a file about all rooms of an exam is called: the exam, the day."""
    return f"{exam.name} {exam.starts_at.astimezone(zone):%Y-%m-%d} {kind}"


def csv_file(text: str, name: str) -> Response:
    """A table to keep under this name."""
    return Response(text, media_type="text/csv", headers=download(name))


def pdf_file(content: bytes, name: str) -> Response:
    """A document to keep under this name."""
    return Response(content, media_type="application/pdf", headers=download(name))


def download(name: str) -> dict[str, str]:
    """The headers of a file to keep, under a name that people can read (RFC 6266); caches must not."""
    # Marks that turn the direction of what follows would show another ending than the file has.
    seen = "".join(one for one in name if not unicodedata.category(one).startswith("C"))
    readable = " ".join(re.sub(r'[<>:"/\\|?*]', " ", seen).split())
    plain = unicodedata.normalize("NFKD", readable).encode("ascii", "ignore").decode()
    both = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(readable, safe='')}"
    return {"content-disposition": both, "cache-control": "no-store"}
