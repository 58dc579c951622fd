"""A session's report: its transactions first, its attempts second; as one document, and on paper."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field
from sqlalchemy import select

from service.exams.context import Desk
from service.exams.errors import TooManyForPaper
from service.exams.evidence.clocks import local_time
from service.exams.evidence.paper import MAX_PRINTED, TextPaper
from service.exams.evidence.transactions import (
    Seconds,
    Transaction,
    TransactionSummary,
    read_transactions,
    summarize,
)
from service.exams.exams import exam_row
from service.exams.schemas import Counts, Session
from service.exams.sessions import session_document, session_row
from service.exams.status import MANUAL, counts_of
from service.exams.tables import CheckinRow
from service.exams.use.rates import Rate


class AttemptCounts(BaseModel):
    """The session's photographs, of any kind of check-in."""

    attempts: int
    compared: int
    matched: int
    not_compared: int = Field(description="pictures that could not be used, or were not looked at")
    unknown: int = Field(description="of nobody on the roster")


class SessionReport(BaseModel):
    """What became of a session's candidates, and of its photographs."""

    session: Session
    counts: Counts
    transactions: TransactionSummary
    attempts: AttemptCounts
    candidates: list[Transaction] = Field(description="who tried to come in by a photograph, by number")


def session_report(desk: Desk, session_id: UUID) -> SessionReport:
    """The report of a session.

    Raises:
        SessionNotFound: If there is no such session.
    """
    with desk.database.read() as db:
        row = session_row(db, session_id)
        found = read_transactions(db, [session_id])
        columns = select(CheckinRow.decision, CheckinRow.entry_id)
        tried = db.execute(
            columns.where(CheckinRow.session_id == session_id, CheckinRow.mode != MANUAL)
        ).all()
        return SessionReport(
            session=session_document(desk, db, row, exam_row(db, row.exam_id)),
            counts=counts_of(db, row),
            transactions=summarize(found),
            attempts=AttemptCounts(
                attempts=len(tried),
                compared=sum(one.decision is not None for one in tried),
                matched=sum(one.decision == "match" for one in tried),
                not_compared=sum(one.decision is None for one in tried),
                unknown=sum(one.entry_id is None for one in tried),
            ),
            candidates=found,
        )


def headline(found: TransactionSummary, words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is to be said first, as labels and values in the reader's language."""
    yield words["candidates"], str(found.candidates)
    yield words["verified"], rate_text(found.verified)
    yield words["after"], " · ".join(f"{one.tries}: {one.candidates}" for one in found.after) or "–"
    yield words["referred"], rate_text(found.referred)
    seconds = found.seconds
    values = (seconds.median, seconds.most, seconds.of) if seconds else ()
    said = dict(zip(("median", "most", "n"), (f"{one:.3g}" for one in values), strict=False))
    yield words["seconds"], words["seconds_text"].format(**said) if said else "–"


def rate_text(rate: Rate) -> str:
    """A share with its interval: `9 / 10 (90.0 %; 59.6 – 98.2 %)`."""
    if rate.share is None or rate.interval is None:
        return "–"
    low, high = (100 * one for one in rate.interval)
    return f"{rate.count} / {rate.of} ({100 * rate.share:.1f} %; {low:.1f} – {high:.1f} %)"


def seconds_text(seconds: Seconds | None) -> str:
    """The middle of some times, and where it lies: `4.2 s (3.9 – 4.4)`."""
    if seconds is None:
        return "–"
    low, high = seconds.interval
    return f"{seconds.median:.3g} s ({low:.3g} – {high:.3g})"


@dataclass(frozen=True)
class ReportStyle:
    """How a report is printed: its texts by key without `report.`, and whether it reads from the right."""

    words: Mapping[str, str]
    right_to_left: bool = False


def report_pdf(report: SessionReport, zone: ZoneInfo, style: ReportStyle) -> bytes:
    """The report on paper, A4: the headline, the attempts, and each candidate's line.

    Raises:
        TooManyForPaper: If there are more people than are printed at once.
    """
    if len(report.candidates) > MAX_PRINTED:
        raise TooManyForPaper(len(report.candidates), MAX_PRINTED)
    page = ReportPage(report, zone, style)
    page.print_facts()
    page.print_candidates()
    return bytes(page.output())


class ReportPage(TextPaper):
    """The sheets of one session's report."""

    def __init__(self, report: SessionReport, zone: ZoneInfo, style: ReportStyle) -> None:
        """Begin the first sheet with the exam, the room and the time."""
        people = [text for one in report.candidates for text in (one.display_name or "", one.external_id)]
        session = report.session
        own = [session.exam_name, session.room, *style.words.values()]
        title, texts = style.words["title"], [*own, *people]
        super().__init__(title, zone, texts, right_to_left=style.right_to_left)
        self.report, self.words = report, style.words
        self.print_text(session.exam_name, 15)
        closes = local_time(session.closes_at, zone, "%H:%M")
        self.print_text(f"{session.room} · {local_time(session.opens_at, zone)} – {closes} ({zone.key})", 11)
        self.print_text(title, 13)

    def print_text(self, text: str, size: float) -> None:
        """A text in letters of this size, its lines as far apart as suits them."""
        self.print_line(text, size, size / 1.8)

    def print_facts(self) -> None:
        """The headline as a table of two columns, and the attempts below it."""
        words, attempts = self.words, self.report.attempts
        self.print_text(words["help"], 8)
        self.ln(2)
        self.print_table(list(headline(self.report.transactions, words)), (90, 100), line_height=6)
        numbers = attempts.model_dump()
        self.ln(3)
        self.print_text(words["attempts"].format(**numbers), 9)
        self.ln(3)

    def print_candidates(self) -> None:
        """Each candidate who tried, in the order of the numbers."""
        words = self.words
        heading = [words[name] for name in ("seat", "number", "name", "tries", "seconds_short", "result")]
        lines = [
            [
                one.seat or "",
                one.external_id,
                one.display_name or "",
                str(one.tries),
                "" if one.seconds is None else f"{one.seconds:.1f}",
                words["is_verified" if one.verified else "is_referred"],
            ]
            for one in self.report.candidates
        ]
        if lines:
            self.print_table(lines, (16, 34, 62, 18, 20, 40), heading=heading, line_height=6)
