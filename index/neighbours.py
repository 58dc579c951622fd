"""Who is near: from vectors to people, every answer checked against the rows."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from index.tables import TemplateRow
from index.vectors import VectorIndex, Vectors, distances, pairs_within

# How many vectors a search asks for first; several of them may be one person's.
_FIRST_FETCH = 32

# FAISS sums in 32 bits; what lies this little beyond the limit is decided by the exact d.
_ROUNDING = 1e-4

# Both databases take far more parameters in one statement (SQLite 32,766).
_IDS_IN_ONE_QUERY = 5000


@dataclass(frozen=True)
class Nearest:
    """A subject and the nearest of their templates."""

    subject_id: UUID
    template_id: UUID
    d: float


class Owner(NamedTuple):
    """Whose a template is."""

    number: int
    template_id: UUID
    subject_id: UUID


def nearest_people(
    session: Session, vectors: VectorIndex, probe: Vectors, k: int, max_d: float, skip: UUID | None = None
) -> list[Nearest]:
    """The k nearest people with d <= max_d in the whole gallery, without the one to skip.

    More vectors are fetched until k different people are among them, or everybody within max_d is.
    """
    fetch = max(_FIRST_FETCH, 2 * k)
    while True:
        found = vectors.search(probe, fetch)
        near = found.numbers[found.d <= max_d + _ROUNDING]
        owners = owners_where(session, TemplateRow.number, near.tolist())
        people = best_of(vectors, probe, (owner for owner in owners if owner.subject_id != skip), max_d)
        if len(people) >= k or len(near) < fetch:
            return people[:k]
        fetch *= 4


def nearest_within(
    session: Session,
    vectors: VectorIndex,
    probe: Vectors,
    k: int,
    max_d: float,
    subject_ids: Collection[UUID],
) -> list[Nearest]:
    """The k nearest of the given people with d <= max_d, without a look at anybody else."""
    owners = owners_where(session, TemplateRow.subject_id, subject_ids)
    return best_of(vectors, probe, owners, max_d)[:k]


def best_of(vectors: VectorIndex, probe: Vectors, owners: Iterable[Owner], max_d: float) -> list[Nearest]:
    """The nearest template of each owner with d <= max_d, nearest owner first."""
    by_number = {owner.number: owner for owner in owners}
    numbers, theirs = vectors.take(np.fromiter(by_number, np.int64, len(by_number)))
    d = distances(probe, theirs)
    people: dict[UUID, Nearest] = {}
    for row in np.argsort(d, kind="stable").tolist():
        owner = by_number[int(numbers[row])]
        if d[row] <= max_d and owner.subject_id not in people:
            people[owner.subject_id] = Nearest(owner.subject_id, owner.template_id, float(d[row]))
    return list(people.values())


def pairs_among(
    session: Session, vectors: VectorIndex, subject_ids: Collection[UUID], max_d: float
) -> list[tuple[UUID, UUID, float]]:
    """Pairs of the given people with the smallest d between their templates, where it is at most max_d."""
    owners = {
        owner.number: owner.subject_id for owner in owners_where(session, TemplateRow.subject_id, subject_ids)
    }
    numbers, theirs = vectors.take(np.fromiter(owners, np.int64, len(owners)))
    people = [owners[number] for number in numbers.tolist()]
    smallest: dict[tuple[UUID, UUID], float] = {}
    for i, j, d in pairs_within(theirs, max_d):
        a, b = sorted((people[i], people[j]))
        if a != b:
            smallest[a, b] = min(d, smallest.get((a, b), d))
    return sorted(((a, b, d) for (a, b), d in smallest.items()), key=lambda pair: pair[2])


def owners_where(
    session: Session, column: InstrumentedAttribute[Any], values: Collection[Any]
) -> list[Owner]:
    """The owners of the templates that the rows still hold and whose column has one of the values."""
    wanted = list(values)
    query = select(TemplateRow.number, TemplateRow.id, TemplateRow.subject_id)
    return [
        Owner(*row)
        for start in range(0, len(wanted), _IDS_IN_ONE_QUERY)
        for row in session.execute(query.where(column.in_(wanted[start : start + _IDS_IN_ONE_QUERY])))
    ]
