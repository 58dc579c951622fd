"""A claim, before any picture: who says they are here, and whether a photograph of them is to be taken."""

from dataclasses import dataclass

from index.audit import Origin
from index.gallery.coverage import models_of
from service.exams.checkin.rules import Arrival, decline, expect, require_another_photograph
from service.exams.context import Desk
from service.exams.errors import CandidateRequired, CheckinRefused, NothingToCompare
from service.exams.sessions import attempts_of
from service.exams.status import NEVER_CAME, read_statuses


@dataclass(frozen=True)
class Claim:
    """Somebody of whom a photograph may be taken now.

    Attributes:
        made: Photographs that were compared.
        allowed: How many may be.
    """

    external_id: str
    display_name: str | None
    seat: str | None
    made: int
    allowed: int


def check_claim(desk: Desk, arrival: Arrival, origin: Origin) -> Claim:
    """Whether the claimed candidate may be looked at; a check-in is refused for the same reasons.

    Raises:
        SessionNotFound: If there is no such session.
        CandidateRequired: If nobody is claimed.
        CheckinRefused: If no photograph is to be taken; that somebody was turned away is recorded.
        DatabaseError: If the database cannot be reached.
    """
    if arrival.external_id is None:
        raise CandidateRequired
    try:
        return read_claim(desk, arrival)
    except CheckinRefused as error:
        decline(desk, arrival, error.code, origin)
        raise


def read_claim(desk: Desk, arrival: Arrival) -> Claim:
    """The claim as the roster has it; raises as `check_claim`, and records nothing."""
    with desk.database.read() as db:
        expected = expect(db, arrival)
        entry = expected.entry
        if entry is None:
            raise CandidateRequired
        require_another_photograph(db, expected, entry)
        known_to = models_of(db, [entry.subject_id]).values() if entry.subject_id else []
        if all(models.isdisjoint(desk.serving.ids) for models in known_to):
            raise NothingToCompare("The candidate")
        current = read_statuses(db, entry.session_id, [entry.id]).get(entry.id, NEVER_CAME)
        allowed = attempts_of(expected.session, expected.exam, entry)
        return Claim(entry.external_id, entry.display_name, entry.seat, current.attempts, allowed)
