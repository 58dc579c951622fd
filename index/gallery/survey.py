"""Where each template of a gallery lies: how far from its owner's others, and from the nearest other one."""

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from index.gallery.neighbours import Owner, Owners, vectors_of
from index.vectors import Numbers, VectorIndex, Vectors, compute_distances, k_nearest


@dataclass(frozen=True)
class Place:
    """One template among all others.

    Attributes:
        own_d: To the nearest other template of its owner; None where there is none.
        other: The nearest template of anybody else; None where nobody else is enrolled.
        other_d: To that one.
    """

    owner: Owner
    own_d: float | None
    other: Owner | None
    other_d: float | None


def survey_templates(vectors: VectorIndex, owners: Owners) -> list[Place]:
    """The place of every template that is loaded; exact, and of everybody in one pass."""
    known, theirs = vectors_of(vectors, owners)
    by_person: dict[UUID, list[int]] = defaultdict(list)
    for row, owner in enumerate(known):
        by_person[owner.subject_id].append(row)
    # One more than anybody has: among so many, one is somebody else's.
    k = max(map(len, by_person.values()), default=0) + 1
    places: list[Place] = []
    for start, _, rows in k_nearest(theirs, theirs, k):
        for at, near in enumerate(rows, start):
            places.append(_find_place(at, near, known, theirs, by_person[known[at].subject_id]))
    return places


def _find_place(at: int, near: Numbers, known: list[Owner], vectors: Vectors, own: list[int]) -> Place:
    mine = known[at].subject_id
    others = [row for row in near.tolist() if row >= 0 and known[row].subject_id != mine][:1]
    siblings = [row for row in own if row != at]
    own_d = float(compute_distances(vectors[at], vectors[siblings]).min()) if siblings else None
    other_d = float(compute_distances(vectors[at], vectors[others])[0]) if others else None
    return Place(known[at], own_d, known[others[0]] if others else None, other_d)


def nearest_pairs(places: list[Place]) -> list[tuple[UUID, UUID, float]]:
    """Each person with the nearest other one: (a, b, d) with a < b, nearest first, each pair once."""
    nearest: dict[UUID, tuple[float, UUID]] = {}
    for one in places:
        if one.other is None or one.other_d is None:
            continue
        found = one.other_d, one.other.subject_id
        nearest[one.owner.subject_id] = min(found, nearest.get(one.owner.subject_id, found))
    smallest: dict[tuple[UUID, UUID], float] = {}
    for mine, (d, theirs) in nearest.items():
        pair = (mine, theirs) if mine < theirs else (theirs, mine)
        smallest[pair] = min(d, smallest.get(pair, d))
    return sorted(((a, b, d) for (a, b), d in smallest.items()), key=lambda found: (found[2], found[:2]))


def with_doubt(places: list[Place], match_d: float, refer_d: float) -> list[Place]:
    """Templates that may be of a wrong photograph, the most doubtful first.

    They match somebody else and lie nearer to them than to their owner, or lie beyond the refer distance from
    all others of their owner; where somebody has two, nothing says which of them is wrong.
    """
    return sorted(
        (one for one in places if is_like_another(one, match_d) or is_unlike_own(one, refer_d)),
        key=lambda one: (not is_like_another(one, match_d), -(one.own_d or 0.0)),
    )


def is_like_another(place: Place, match_d: float) -> bool:
    """Whether it matches somebody else, and lies nearer to them than to its owner."""
    if place.own_d is None or place.other_d is None:
        return False
    return place.other_d <= match_d and place.other_d < place.own_d


def is_unlike_own(place: Place, refer_d: float) -> bool:
    """Whether none of its owner's other templates is near."""
    return place.own_d is not None and place.own_d > refer_d
