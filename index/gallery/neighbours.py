"""Nearest neighbours: from vectors to people, with every result checked against the rows.

A vector counts only for the row with the template id that it was read with. So it cannot get a wrong owner,
even in a restored database that has given the vector's number to somebody else.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Self
from uuid import UUID

import numpy as np
from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from index.consent.legal_basis import find_ended
from index.database.batches import batches
from index.gallery.coverage import models_of
from index.tables import TemplateRow
from index.vectors import Ids, Numbers, VectorIndex, Vectors, compute_distances, find_pairs_within

# How many vectors a search fetches first; several of them may belong to one person.
_FIRST_FETCH = 32

# FAISS sums in 32 bits; this close to the limit, the exact d decides.
_ROUNDING = 1e-4

# Most callers want only the nearest person; a large roster is not fetched as a whole.
_PEOPLE_IN_ONE_LOOK = 64


@dataclass(frozen=True)
class Nearest:
    """A subject and the nearest of their templates."""

    subject_id: UUID
    template_id: UUID
    d: float


class Owner(NamedTuple):
    """The owner of a template."""

    template_id: UUID
    subject_id: UUID


@dataclass(frozen=True)
class Owners:
    """The owners of some templates, with the numbers and ids of their vectors."""

    numbers: Numbers  # (n,), ascending
    ids: Ids  # (n, 16)
    owners: tuple[Owner, ...]

    @classmethod
    def of(cls, rows: Iterable[tuple[int, UUID, UUID]]) -> Self:
        """From (number, template id, subject id), in any order."""
        ordered = sorted(rows)
        ids = b"".join(template_id.bytes for _, template_id, _ in ordered)
        return cls(
            np.array([number for number, _, _ in ordered], np.int64),
            np.frombuffer(ids, np.uint8).reshape(-1, 16),
            tuple(Owner(template_id, subject_id) for _, template_id, subject_id in ordered),
        )


def find_nearest_people(
    db: Session,
    vectors: VectorIndex,
    probe: Vectors,
    k: int,
    max_d: float,
    skip: UUID | None = None,
    unknown_to: Collection[str] = (),
) -> list[Nearest]:
    """The k nearest people with d <= max_d in the whole gallery.

    Fetches more vectors until they include k different people, or everybody within max_d.

    Args:
        db: For reading.
        vectors: The vectors of one model.
        probe: (dim,) vector of the same model.
        k: At most this many people.
        max_d: Largest d.
        skip: A person to leave out.
        unknown_to: Only people without a template of any of these models.
    """
    fetch = max(_FIRST_FETCH, 2 * k)
    while True:
        found = vectors.search(probe, fetch)
        near = found.numbers[found.d <= max_d + _ROUNDING]
        owners = read_owners(db, TemplateRow.number, near.tolist())
        others = (one for one in find_best(vectors, probe, owners, max_d) if one.subject_id != skip)
        people = keep_in_force(db, drop_known(db, list(others), unknown_to), k)
        if len(people) >= k or len(near) < fetch:
            return people
        fetch *= 4


def keep_in_force(db: Session, people: Sequence[Nearest], k: int) -> list[Nearest]:
    """The first k of these people whose legal basis is in force, which is read from the rows each time."""
    found: list[Nearest] = []
    for start in range(0, len(people), _PEOPLE_IN_ONE_LOOK):
        block = people[start : start + _PEOPLE_IN_ONE_LOOK]
        ended = find_ended(db, [one.subject_id for one in block])
        found += [one for one in block if one.subject_id not in ended]
        if len(found) >= k:
            break
    return found[:k]


def drop_known(db: Session, people: list[Nearest], model_ids: Collection[str]) -> list[Nearest]:
    """The people without a template of any of these models."""
    if not people or not model_ids:
        return people
    known = models_of(db, [one.subject_id for one in people])
    return [one for one in people if known.get(one.subject_id, set()).isdisjoint(model_ids)]


def find_best(vectors: VectorIndex, probe: Vectors, owners: Owners, max_d: float) -> list[Nearest]:
    """The nearest template of each owner with d <= max_d, nearest owner first."""
    known, theirs = vectors_of(vectors, owners)
    d = compute_distances(probe, theirs)
    people: dict[UUID, Nearest] = {}
    for row in np.argsort(d, kind="stable").tolist():
        if d[row] > max_d:
            break
        owner = known[row]
        if owner.subject_id not in people:
            people[owner.subject_id] = Nearest(owner.subject_id, owner.template_id, float(d[row]))
    return list(people.values())


def find_pairs(vectors: VectorIndex, owners: Owners, max_d: float) -> list[tuple[UUID, UUID, float]]:
    """Pairs of owners with the smallest d between their templates, if it is at most max_d."""
    known, theirs = vectors_of(vectors, owners)
    people = [owner.subject_id for owner in known]
    smallest: dict[tuple[UUID, UUID], float] = {}
    for i, j, d in find_pairs_within(theirs, max_d):
        a, b = sorted((people[i], people[j]))
        if a != b:
            smallest[a, b] = min(d, smallest.get((a, b), d))
    return sorted(((a, b, d) for (a, b), d in smallest.items()), key=lambda pair: pair[2])


def vectors_of(vectors: VectorIndex, owners: Owners) -> tuple[list[Owner], Vectors]:
    """The owners of the loaded vectors, one for each of the (m, dim) vectors."""
    taken = vectors.take(owners.numbers)
    rows = np.searchsorted(owners.numbers, taken.numbers)
    same = (owners.ids[rows] == taken.ids).all(axis=1)
    return [owners.owners[row] for row in rows[same].tolist()], taken.vectors[same]


def read_owners(db: Session, column: InstrumentedAttribute[Any], values: Collection[Any]) -> Owners:
    """The owners of existing templates whose column has one of these values."""
    query = _select_owners(column)
    return Owners.of(
        (number, template_id, subject_id)
        for batch in batches(values)
        for number, template_id, subject_id in db.execute(query, {"wanted": batch})
    )


@cache
def _select_owners(column: InstrumentedAttribute[Any]) -> Select[int, UUID, UUID]:
    """Built once per column, because building costs more than running."""
    query = select(TemplateRow.number, TemplateRow.id, TemplateRow.subject_id)
    return query.where(column.in_(bindparam("wanted", expanding=True)))
