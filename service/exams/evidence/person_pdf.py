"""A person's own file on paper, to hand over: the same as the JSON, in the person's language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from service.exams.evidence.clocks import local_time
from service.exams.evidence.paper import TextPaper
from service.exams.evidence.person import PersonExam, PersonFile
from service.exams.schemas import Checkin

Lines = list[tuple[str, str]]


@dataclass(frozen=True)
class PersonStyle:
    """How a file is printed.

    Attributes:
        words: Texts by key without `person_file.`.
        statuses: Outcomes and reasons in words by their codes.
        right_to_left: Whether the reader begins at the right.
    """

    words: Mapping[str, str]
    statuses: Mapping[str, str]
    right_to_left: bool = False


def person_pdf(found: PersonFile, zone: ZoneInfo, style: PersonStyle) -> bytes:
    """The file on A4 sheets."""
    facts = Facts(found, zone, style)
    sections = list(facts.sections())
    texts = [
        text for title, lines in sections for text in (title, *(cell for line in lines for cell in line))
    ]
    page = TextPaper(style.words["title"], zone, texts, right_to_left=style.right_to_left)
    page.print_line(style.words["title"], 15, 9)
    page.print_line(style.words["help"], 8, 5)
    for title, lines in sections:
        page.ln(3)
        page.print_line(title, 11, 7)
        page.print_table(lines or [("–", "")], (60, 130), line_height=5)
    return bytes(page.output())


@dataclass(frozen=True)
class Facts:
    """The sections of a file, as labels and values."""

    found: PersonFile
    zone: ZoneInfo
    style: PersonStyle

    def sections(self) -> Iterator[tuple[str, Lines]]:
        """Who it is, what is kept, each exam, and the trail."""
        words, found = self.style.words, self.found
        yield words["who"], list(self.who())
        yield (
            words["templates"],
            [(self.at(one.created_at), f"{one.id} · {one.model_id}") for one in found.templates],
        )
        yield (
            words["pictures"],
            [
                (
                    self.at(one.created_at),
                    f"{words[one.kind]} · {words['until']} {self.at(one.expires_at) or '–'}",
                )
                for one in found.pictures
            ],
        )
        others: Lines = [(self.at(one.created_at), words[f"link_{one.kind}"]) for one in found.links]
        others += [(self.at(one.created_at), f"{words['hold']}: {one.reason}") for one in found.holds]
        others += [
            (self.at(one.created_at), f"{words['look_alike']}: {one.reason}") for one in found.look_alikes
        ]
        yield words["others"], others
        for exam in found.exams:
            yield f"{exam.exam} · {exam.room} · {self.at(exam.opens_at)}", list(self.exam(exam))
        yield words["events"], [(self.at(one.at), one.action) for one in found.events]

    def who(self) -> Iterator[tuple[str, str]]:
        """The person."""
        words, found = self.style.words, self.found
        yield words["number"], " · ".join([found.external_id or "–", *found.further_numbers])
        yield words["name"], found.display_name or "–"
        yield words["since"], self.at(found.created_at)
        basis: dict[str, Any] = found.legal_basis or {}
        yield words["basis"], " · ".join(str(one) for one in basis.values() if one) or "–"
        yield words["withdrawn"], self.at(found.withdrawn_at) or "–"
        for name, value in (found.metadata or {}).items():
            yield str(name), str(value)

    def exam(self, exam: PersonExam) -> Iterator[tuple[str, str]]:
        """A session: its check-ins with what people decided, movements and complaints."""
        words = self.style.words
        one = exam.candidate
        yield words["status"], " · ".join(filter(None, (self.word(one.status), one.display_name, one.seat)))
        for checkin in exam.checkins:
            at = self.at(checkin.taken_at or checkin.created_at)
            yield at, f"{words['checkin']}: {self.described(checkin)}"
            for said in checkin.overrides:
                text = " · ".join(filter(None, (self.word(said.outcome), said.reason_code, said.note)))
                yield self.at(said.created_at), f"{words['decided']}: {text}"
        for move in exam.movements:
            yield self.at(move.at), words[f"move_{move.kind}"]
        for complaint in exam.complaints:
            yield self.at(complaint.created_at), f"{words['complaint']}: {complaint.text}"
            if complaint.answered_at:
                yield self.at(complaint.answered_at), f"{words['answer']}: {complaint.answer or ''}"

    def described(self, one: Checkin) -> str:
        """A check-in in words: how it ended, why, and by which document."""
        why = [self.word(code) for code in one.why]
        return " · ".join(filter(None, (self.word(one.outcome), *why, one.document_type, one.note)))

    def word(self, code: str) -> str:
        """A code in the reader's language; one that has no text is shown itself."""
        return self.style.statuses.get(str(code), str(code))

    def at(self, moment: datetime | None) -> str:
        """A moment on the reader's clocks."""
        return local_time(moment, self.zone)
