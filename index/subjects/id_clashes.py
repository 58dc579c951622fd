"""Find external ids, from before ids were compared, that are equal or look alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from index.external_ids import SKELETONS
from index.tables import SubjectRow

How = Literal["equal", "looks_alike"]


@dataclass(frozen=True)
class Clash:
    """Two ids that would not both be accepted today. The first is older than the second."""

    how: How
    first: str
    first_id: str
    second: str
    second_id: str
    session_id: str | None = None

    def __str__(self) -> str:
        verb = "equals" if self.how == "equal" else "looks like"
        where = f" on the roster of session {self.session_id}" if self.session_id else ""
        first, second = f"{self.first} ({self.first_id})", f"{self.second} ({self.second_id})"
        return f"External id {escape_non_ascii(second)} {verb} {escape_non_ascii(first)}{where}."


def escape_non_ascii(text: str) -> str:
    """A text in which look-alike characters can be told apart: `s-1 (\\u0455-1)`."""
    escaped = text.encode("ascii", "backslashreplace").decode()
    return text if text == escaped else f"{text} = {escaped}"


def find_subject_clashes(db: Session) -> list[Clash]:
    """Subjects whose external ids are equal or look alike, each pair once."""
    found: dict[tuple[UUID, UUID], Clash] = {}
    for name in ("external_key", *SKELETONS):
        how: How = "equal" if name == "external_key" else "looks_alike"
        for first, second in _find_pairs(db, name):
            clash = Clash(how, first[1], str(first[0]), second[1], str(second[0]))
            found.setdefault((first[0], second[0]), clash)
    return list(found.values())


def _find_pairs(db: Session, name: str) -> Iterator[tuple[tuple[UUID, str], tuple[UUID, str]]]:
    """For each form that several subjects share, the first subject with each of the others."""
    form = getattr(SubjectRow, name)
    several = select(form).where(form.is_not(None)).group_by(form).having(func.count() > 1)
    query = select(form, SubjectRow.id, SubjectRow.external_id).where(form.in_(several))
    rows = db.execute(query.order_by(form, SubjectRow.id)).all()
    for _, same in groupby(rows, key=lambda row: row[0]):
        first, *others = ((subject_id, external_id) for _, subject_id, external_id in same)
        yield from ((first, other) for other in others)
