"""How lists with other headings are laid out: said once by an office, kept in the database, by name."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import func, select

from index.audit import Origin
from index.database.database import Database
from index.fields import holds_controls
from index.tables import utc_now
from service.exams.audit import LAYOUT_CHANGED, LAYOUT_REMOVED, note
from service.exams.context import name_in
from service.exams.errors import ExamInvalid, ListLayoutNotFound
from service.exams.roster.headings import MAX_HEADING_CHARACTERS, Layout, fold
from service.exams.tables import ListLayoutRow
from service.exams.terms import Terms

MAX_LAYOUTS = 200

Column = Literal[
    "external_id",
    "display_name",
    "seat",
    "manual_identification",
    "private_check",
    "twin",
    "accommodation",
    "exam",
    "room",
]
HeadingText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_HEADING_CHARACTERS)
]
MAX_NAME_CHARACTERS = 100


class LayoutTerms(Terms):
    """Which headings of a list make up each column; cells of several are joined by a blank."""

    columns: dict[Column, Annotated[list[HeadingText], Field(min_length=1, max_length=3)]] = Field(
        description="`external_id` is needed",
        examples=[{"external_id": ["Matrikelnummer"], "display_name": ["Vorname", "Nachname"]}],
    )


class ListLayout(BaseModel):
    """A kind of list and how it is laid out."""

    name: str
    columns: dict[Column, list[str]]
    changed_at: datetime
    changed_by: str


def layouts_page(database: Database, limit: int, after: str = "") -> list[ListLayout]:
    """Up to `limit` layouts by name, from the one behind `after`."""
    query = select(ListLayoutRow).where(ListLayoutRow.name > after).order_by(ListLayoutRow.name).limit(limit)
    with database.read() as db:
        return [document_of(row) for row in db.scalars(query)]


def kept_layouts(database: Database) -> list[Layout]:
    """All of them, those that say most of a list first: they fit fewer lists by accident."""
    with database.read() as db:
        rows = db.scalars(select(ListLayoutRow).order_by(ListLayoutRow.changed_at.desc())).all()
        found = [Layout(row.name, row.columns) for row in rows]
    return sorted(found, key=lambda one: -sum(map(len, one.columns.values())))


def keep_layout(database: Database, name: str, terms: LayoutTerms, origin: Origin) -> ListLayout:
    """Say how a kind of list is laid out, or say it anew.

    Raises:
        ExamInvalid: If the name cannot be one, no column has the numbers, a heading is there twice, or
            too many layouts are kept.
    """
    if not 0 < len(name.strip()) <= MAX_NAME_CHARACTERS or holds_controls(name):
        raise ExamInvalid("name", f"needs up to {MAX_NAME_CHARACTERS} plain characters")
    headings = [fold(one) for many in terms.columns.values() for one in many]
    if "external_id" not in terms.columns:
        raise ExamInvalid("columns", "a heading has to be the candidate's number")
    if len(set(headings)) < len(headings):
        raise ExamInvalid("columns", "a heading is there twice")
    with database.write() as db:
        row = db.get(ListLayoutRow, name)
        if row is None:
            if (db.scalar(select(func.count()).select_from(ListLayoutRow)) or 0) >= MAX_LAYOUTS:
                raise ExamInvalid("name", f"no more than {MAX_LAYOUTS} list layouts are kept")
            row = ListLayoutRow(name=name, columns={}, changed_by="", changed_at=utc_now())
            db.add(row)
        row.columns = {str(column): list(many) for column, many in terms.columns.items()}
        row.changed_by, row.changed_at = (origin.operator or name_in(origin.actor))[:255], utc_now()
        note(db, LAYOUT_CHANGED, origin, name=name, columns=row.columns)
        return document_of(row)


def forget_layout(database: Database, name: str, origin: Origin) -> None:
    """Forget how a kind of list is laid out.

    Raises:
        ListLayoutNotFound: If none of this name is kept.
    """
    with database.write() as db:
        row = db.get(ListLayoutRow, name)
        if row is None:
            raise ListLayoutNotFound(name)
        db.delete(row)
        note(db, LAYOUT_REMOVED, origin, name=name)


def find_layout(database: Database, name: str) -> Layout:
    """One of them.

    Raises:
        ListLayoutNotFound: If none of this name is kept.
    """
    with database.read() as db:
        row = db.get(ListLayoutRow, name)
        if row is None:
            raise ListLayoutNotFound(name)
        return Layout(row.name, row.columns)


def document_of(row: ListLayoutRow) -> ListLayout:
    """A layout as it leaves."""
    return ListLayout.model_validate(row, from_attributes=True)
