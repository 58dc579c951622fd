"""Who is near: from vectors to people, every answer checked against the rows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from index.coverage import models_of
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

    template_id: UUID
    subject_id: UUID


Owners = Mapping[int, Owner]
"""By the template's number."""


def nearest_people(
    session: Session,
    vectors: VectorIndex,
    probe: Vectors,
    k: int,
    max_d: float,
    skip: UUID | None = None,
    unknown_to: Collection[str] = (),
) -> list[Nearest]:
    """The k nearest people with d <= max_d in the whole gallery.

    More vectors are fetched until k different people are among them, or everybody within max_d is.

    Args:
        session: For reading.
        vectors: Of one model.
        probe: (dim,) of the same.
        k: How many people at most.
        max_d: Largest d.
        skip: Somebody who is not looked for.
        unknown_to: Only people of whom none of these models has a template.
    """
    fetch = max(_FIRST_FETCH, 2 * k)
    while True:
        found = vectors.search(probe, fetch)
        near = found.numbers[found.d <= max_d + _ROUNDING]
        owners = owners_where(session, TemplateRow.number, near.tolist())
        others = {number: owner for number, owner in owners.items() if owner.subject_id != skip}
        people = without_known(session, best_of(vectors, probe, others, max_d), unknown_to)
        if len(people) >= k or len(near) < fetch:
            return people[:k]
        fetch *= 4


def without_known(session: Session, people: list[Nearest], model_ids: Collection[str]) -> list[Nearest]:
    """The people of whom none of these models has a template."""
    if not people or not model_ids:
        return people
    known = models_of(session, [one.subject_id for one in people])
    return [one for one in people if known.get(one.subject_id, set()).isdisjoint(model_ids)]


def best_of(vectors: VectorIndex, probe: Vectors, owners: Owners, max_d: float) -> list[Nearest]:
    """The nearest template of each owner with d <= max_d, nearest owner first."""
    numbers, theirs = vectors.take(np.fromiter(owners, np.int64, len(owners)))
    d = distances(probe, theirs)
    people: dict[UUID, Nearest] = {}
    for row in np.argsort(d, kind="stable").tolist():
        if d[row] > max_d:
            break
        owner = owners[int(numbers[row])]
        if owner.subject_id not in people:
            people[owner.subject_id] = Nearest(owner.subject_id, owner.template_id, float(d[row]))
    return list(people.values())


def pairs_among(vectors: VectorIndex, owners: Owners, max_d: float) -> list[tuple[UUID, UUID, float]]:
    """Pairs of the owners with the smallest d between their templates, where it is at most max_d."""
    numbers, theirs = vectors.take(np.fromiter(owners, np.int64, len(owners)))
    people = [owners[number].subject_id for number in numbers.tolist()]
    smallest: dict[tuple[UUID, UUID], float] = {}
    for i, j, d in pairs_within(theirs, max_d):
        a, b = sorted((people[i], people[j]))
        if a != b:
            smallest[a, b] = min(d, smallest.get((a, b), d))
    return sorted(((a, b, d) for (a, b), d in smallest.items()), key=lambda pair: pair[2])


def owners_where(
    session: Session, column: InstrumentedAttribute[Any], values: Collection[Any]
) -> dict[int, Owner]:
    """The owners of the templates that the rows still hold and whose column has one of the values."""
    wanted = list(values)
    query = _owners_by(column)
    return {
        number: Owner(template_id, subject_id)
        for start in range(0, len(wanted), _IDS_IN_ONE_QUERY)
        for number, template_id, subject_id in session.execute(
            query, {"wanted": wanted[start : start + _IDS_IN_ONE_QUERY]}
        )
    }


@cache
def _owners_by(column: InstrumentedAttribute[Any]) -> Select[int, UUID, UUID]:
    """Built once for each column: building costs more than asking."""
    query = select(TemplateRow.number, TemplateRow.id, TemplateRow.subject_id)
    return query.where(column.in_(bindparam("wanted", expanding=True)))
