"""What a roster would change, and what is wrong with it."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field

LISTED = 200


class Finding(BaseModel):
    """One row that the registrar should look at; fields that do not apply are null."""

    row: int | None = None
    line: int | None = Field(default=None, description="where the file has the row")
    external_id: str | None = None
    display_name: str | None = None
    seat: str | None = None
    first_row: int | None = Field(default=None, description="the row that has the same already")
    first_line: int | None = Field(default=None, description="where the file has that row")
    other: str | None = Field(
        default=None, description="what the row names instead: an exam, a room, a candidate"
    )


class Findings(BaseModel):
    """Findings of one kind: all counted, the first of them listed."""

    total: int = 0
    items: list[Finding] = []

    @classmethod
    def of(cls, findings: Iterable[dict[str, Any]]) -> "Findings":
        """The findings, by the fields that apply, listed up to a length that a page can show."""
        found = list(findings)
        return cls(total=len(found), items=[Finding(**one) for one in found[:LISTED]])


class ListRead(BaseModel):
    """How a list was read."""

    sheet: str | None = Field(description="of a workbook, the sheet")
    heading_line: int
    headings: list[str]
    layout: str | None = Field(description="the list layout that says which heading is which column")


class RosterReport(BaseModel):
    """A roster against what is there. `problems` counts the findings that stop an import.

    Attributes:
        conflicting_rows: The same candidate with other content, or the id spelled otherwise: a problem. The
            same row again is counted.
        unknown: No subject has this external id: a problem, unless subjects are created.
        ambiguous: Several subjects have an id that equals the row's, none is spelled so: a problem.
        confusable: A new id that looks like a subject's, or like an earlier row's: a problem.
        mangled: A number that a spreadsheet has shortened, or a new one that somebody has with other leading
            zeros: a problem.
        emptied: Candidates that are on the roster, where the file names nobody: a problem, unless that is
            asked for. The wrong file or a lost sheet looks so.
        removing: Candidates whom the file does not name and who would go, or went.
        other_exam: The row names another exam or room: a problem, and most likely the wrong file.
        has_checkins: Would be removed, but was at the door already: a problem.
    """

    dry_run: bool
    applied: bool
    rows: int
    candidates: int
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    repeated_rows: int = 0
    read_as: ListRead | None = Field(default=None, description="null of a roster in JSON")
    created_subjects: int = 0
    problems: int = 0
    unknown: Findings = Findings()
    ambiguous: Findings = Findings()
    confusable: Findings = Findings()
    mangled: Findings = Findings()
    removing: Findings = Findings()
    emptied: Findings = Findings()
    conflicting_rows: Findings = Findings()
    duplicate_seats: Findings = Findings()
    other_exam: Findings = Findings()
    has_checkins: Findings = Findings()
    without_template: Findings = Findings()
    in_other_sessions: Findings = Findings()
