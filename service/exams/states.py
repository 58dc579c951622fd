"""How a candidate may stand, and what leads from one state to the next: the one place that says so.

    expected → referred ⇄ refused → let in (admitted, identified_manually)      by attempts and decisions
    let in:   present ── exit ──▸ out ── return ──▸ present                     by movements
              present, out ── end ──▸ left

A movement that is taken back (`undo`) never happened. Who is not let in, or no longer, is absent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

from service.exams.schemas import Absence, Presence

LET_IN = frozenset({"admitted", "identified_manually"})
"""Outcomes, and so statuses, of whoever may be in the room."""

CheckinKind = Literal["entry", "return"]
"""What a check-in is for."""
ENTRY: Final = "entry"
RETURN: Final = "return"
REPEAT: Final = "repeat"
"""An entry of somebody whose case was settled; a kiosk without network could not know."""


LIVE: Final = "live"
PAPER: Final = "paper"
"""Where a row of evidence comes from: recorded as it happened, or typed in from a room sheet."""


class Move(StrEnum):
    """What a candidate does who was let in; `undo` takes one back."""

    EXIT = "exit"
    RETURN = "return"
    END = "end"
    UNDO = "undo"


AFTER: Mapping[tuple[Presence, Move], Presence] = {
    ("present", Move.EXIT): "out",
    ("present", Move.END): "left",
    ("out", Move.RETURN): "present",
    ("out", Move.END): "left",
}


@dataclass(frozen=True)
class Moved:
    """A movement that was recorded."""

    id: UUID
    kind: Move
    at: datetime
    undoes: UUID | None = None


@dataclass(frozen=True)
class Whereabouts:
    """Where a candidate is, since when, and the times outside the room.

    Attributes:
        newest: The movement that led there; None where the candidate has not moved.
    """

    presence: Presence = "absent"
    at: datetime | None = None
    absences: list[Absence] = field(default_factory=list)
    newest: UUID | None = None


ABSENT = Whereabouts()


def follow_moves(admitted_at: datetime, moves: Iterable[Moved]) -> Whereabouts:
    """Where somebody is who was let in at a moment and has moved since, in this order."""
    moves = list(moves)
    undone = {move.undoes for move in moves}
    now = Whereabouts("present", admitted_at)
    for move in moves:
        after = AFTER.get((now.presence, move.kind))
        if after is not None and move.id not in undone:
            now = Whereabouts(after, move.at, absences_after(now, move), move.id)
    return now


def absences_after(before: Whereabouts, move: Moved) -> list[Absence]:
    """The times outside after a movement; who leaves without coming back was outside until the end."""
    if move.kind is Move.EXIT:
        return [*before.absences, Absence(since=move.at, until=None)]
    if move.kind is Move.RETURN:
        return [*before.absences[:-1], Absence(since=before.absences[-1].since, until=move.at)]
    return before.absences
