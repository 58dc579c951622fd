"""Pairs of people whom a model confused at a door and a person told apart: the best examples there are."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from index.database.database import Database
from service.exams.tables import CheckinRow, OverrideRow, RosterEntryRow

MOST = 10_000
ADMITTED = frozenset({"admitted", "identified_manually"})


def with_confusions(database: Database, kind: str, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a job; a retraining on enrolled people is told whom check-ins confused."""
    if kind != "retrain" or params.get("enrolled") is not True or "confusions" in params:
        return params
    return {**params, "confusions": confused_subjects(database)}


def confused_subjects(database: Database) -> list[list[str]]:
    """Subject, subject, reason, from attempts where another candidate's face was near and a person decided.

    `override` where the candidate was who they claimed to be, though somebody else lay as near;
    `false_accept` where the model had admitted them and a person found that they were not;
    `impersonation` where neither model nor person took the face for the claimed candidate's: it is the
    other's, and those are two people.
    """
    decided = (
        select(CheckinRow, OverrideRow)
        .join(OverrideRow, OverrideRow.checkin_id == CheckinRow.id)
        .where(CheckinRow.subject_id.is_not(None))
        .order_by(CheckinRow.id.desc(), OverrideRow.number.desc())
    )
    found: dict[tuple[str, str], str] = {}
    with database.read() as db:
        newest: set[UUID] = set()
        for checkin, override in db.execute(decided):
            if checkin.id in newest:
                continue
            newest.add(checkin.id)
            reason = reason_of(checkin, override)
            entries = [UUID(one["entry_id"]) for one in checkin.conflicts]
            others = select(RosterEntryRow.subject_id).where(RosterEntryRow.id.in_(entries))
            for other in db.scalars(others) if reason else ():
                if other is not None and other != checkin.subject_id:
                    first, second = sorted((str(checkin.subject_id), str(other)))
                    found.setdefault((first, second), reason)
    return [[first, second, reason] for (first, second), reason in found.items()][:MOST]


def reason_of(checkin: CheckinRow, override: OverrideRow) -> str:
    """What the newest decision says of a pair; empty where it tells nobody apart."""
    if override.outcome in ADMITTED:
        return "override"
    if checkin.outcome == "admitted":
        return "false_accept"
    # A face that matched the claim as well may be of one person with two numbers.
    return "impersonation" if checkin.decision in ("refer", "no_match") else ""
