"""Transactions (ISO/IEC 19795-1): all tries of one candidate to come in by a photograph, taken together.

A transaction ends with the try that verifies the candidate, or with a person. A try is an attempt of a claim
or a search; documents, room sheets, returns and repeats are none. In a pilot it counts what the machine would
have done.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from service.exams.errors import (
    AttemptsExhausted,
    CandidateRefused,
    FacesOff,
    ManualIdentificationAgreed,
)
from service.exams.reasons import PILOT_ADMITS
from service.exams.schemas import Person, Status, Verdict
from service.exams.states import ENTRY, LET_IN, LIVE
from service.exams.status import MANUAL, NEVER_CAME, read_statuses
from service.exams.tables import CheckinRow, RosterEntryRow
from service.exams.use.rates import Interval, Rate

REFUSED: Status = "refused"
Z = 1.959964
"""Of a two-sided interval of 95 % of the normal distribution."""
NOT_LOOKED_AT = frozenset(
    one.code for one in (AttemptsExhausted, CandidateRefused, FacesOff, ManualIdentificationAgreed)
)
"""Of what a kiosk took without network: nobody looked at the picture."""


class Transaction(Person):
    """One candidate's tries to come in, and how they ended."""

    entry_id: UUID
    tries: int = Field(description="up to the one that verified, or all of them")
    not_acquired: int = Field(description="tries whose picture could not be compared")
    verified: bool = Field(description="by the machine, within the tries allowed; else referred to a person")
    status: Status = Field(description="how the candidate stands now")
    seconds: float | None = Field(
        description="from the number, or the wish to try again, to the answer; null where no kiosk said so"
    )


class AfterTries(BaseModel):
    """How many candidates were verified by their nth try."""

    tries: int
    candidates: int


class Seconds(BaseModel):
    """Seconds of transactions: the middle one with its 95 % interval, and what 95 of 100 stay below."""

    of: int
    median: float
    interval: Interval
    most: float = Field(description="95 of 100 transactions take no longer")


class TransactionSummary(BaseModel):
    """Transactions together: the best of the tries that each candidate is allowed."""

    candidates: int = Field(description="who tried to come in by a photograph")
    verified: Rate
    after: list[AfterTries] = Field(description="of the verified")
    referred: Rate = Field(description="whom the machine did not verify: a person decides")
    let_in_by_person: int = Field(description="of the referred")
    refused: int = Field(description="of the referred")
    undecided: int = Field(description="of the referred")
    several_tries: Rate = Field(description="candidates who needed more than one")
    mean_tries: float | None
    mean_tries_interval: Interval | None = Field(description="95 %, by the normal distribution")
    not_acquired: Rate = Field(description="candidates with a picture that could not be compared")
    missed: Rate = Field(description="referred though a person let them in, of all who belong there")
    refused_after_match: Rate = Field(
        description="verified and then refused by a person: false matches that were found, a lower bound"
    )
    seconds: Seconds | None = Field(description="null where no kiosk said how long anybody waited")


@dataclass(frozen=True)
class Try:
    """One attempt, as far as it counts here."""

    entry_id: UUID
    decision: str | None
    outcome: str
    reasons: Sequence[str]
    since_claim_ms: int | None
    timings_ms: dict[str, float] | None

    @property
    def is_verified(self) -> bool:
        """Whether the machine has let the candidate in, or would have in a pilot."""
        return PILOT_ADMITS in self.reasons or (
            self.decision is not None and self.outcome == Verdict.ADMITTED
        )

    @property
    def seconds(self) -> float | None:
        """From the number, or the wish to try again, to the answer."""
        if self.since_claim_ms is None:
            return None
        return (self.since_claim_ms + sum((self.timings_ms or {}).values())) / 1000


def read_transactions(db: OrmSession, session_ids: Collection[UUID]) -> list[Transaction]:
    """The transactions of some sessions, by number."""
    tries: dict[UUID, list[Try]] = defaultdict(list)
    for one in read_tries(db, session_ids):
        tries[one.entry_id].append(one)
    statuses = {
        entry_id: current
        for session_id in session_ids
        for entry_id, current in read_statuses(db, session_id).items()
    }
    mine = RosterEntryRow.session_id.in_(session_ids)
    entries = db.scalars(select(RosterEntryRow).where(mine).order_by(RosterEntryRow.external_id)).all()
    return [
        transaction_of(entry, tries[entry.id], statuses.get(entry.id, NEVER_CAME).status)
        for entry in entries
        if entry.id in tries
    ]


def read_tries(db: OrmSession, session_ids: Collection[UUID]) -> Iterable[Try]:
    """The tries of candidates of some sessions, oldest first."""
    query = (
        select(
            CheckinRow.entry_id,
            CheckinRow.decision,
            CheckinRow.outcome,
            CheckinRow.reasons,
            CheckinRow.since_claim_ms,
            CheckinRow.timings_ms,
        )
        .where(
            CheckinRow.session_id.in_(session_ids),
            CheckinRow.entry_id.is_not(None),
            CheckinRow.kind == ENTRY,
            CheckinRow.mode != MANUAL,
            CheckinRow.source == LIVE,
        )
        .order_by(CheckinRow.created_at, CheckinRow.id)
    )
    found = (Try(**row._asdict()) for row in db.execute(query))
    return [one for one in found if one.decision is not None or NOT_LOOKED_AT.isdisjoint(one.reasons)]


def transaction_of(entry: RosterEntryRow, tries: Sequence[Try], status: str) -> Transaction:
    """A candidate's tries together; what came after the one that verified is none of them."""
    at = next((n for n, one in enumerate(tries, 1) if one.is_verified), None)
    counted = tries[:at]
    waited = [one.seconds for one in counted if one.seconds is not None]
    return Transaction(
        external_id=entry.external_id,
        display_name=entry.display_name,
        seat=entry.seat,
        entry_id=entry.id,
        tries=len(counted),
        not_acquired=sum(one.decision is None for one in counted),
        verified=at is not None,
        status=status,  # type: ignore[arg-type]
        seconds=round(sum(waited), 3) if len(waited) == len(counted) else None,
    )


def summarize(transactions: Sequence[Transaction]) -> TransactionSummary:
    """Transactions together."""
    n = len(transactions)
    verified = [one for one in transactions if one.verified]
    referred = [one for one in transactions if not one.verified]
    let_in = sum(one.status in LET_IN for one in referred)
    refused = sum(one.status == REFUSED for one in referred)
    wrong = sum(one.status == REFUSED for one in verified)
    tries = [one.tries for one in transactions]
    return TransactionSummary(
        candidates=n,
        verified=Rate.counted(len(verified), n),
        after=[
            AfterTries(tries=k, candidates=sum(one.tries == k for one in verified))
            for k in sorted({one.tries for one in verified})
        ],
        referred=Rate.counted(len(referred), n),
        let_in_by_person=let_in,
        refused=refused,
        undecided=len(referred) - let_in - refused,
        several_tries=Rate.counted(sum(k > 1 for k in tries), n),
        mean_tries=sum(tries) / n if n else None,
        mean_tries_interval=mean_interval(tries),
        not_acquired=Rate.counted(sum(one.not_acquired > 0 for one in transactions), n),
        missed=Rate.counted(let_in, let_in + len(verified) - wrong),
        refused_after_match=Rate.counted(wrong, len(verified)),
        seconds=seconds_of([one.seconds for one in transactions if one.seconds is not None]),
    )


def mean_interval(values: Sequence[int]) -> Interval | None:
    """The 95 % interval of a mean, by the normal distribution; None of fewer than two values."""
    n = len(values)
    if n < 2:
        return None
    mean = sum(values) / n
    half = Z * sqrt(sum((one - mean) ** 2 for one in values) / (n - 1) / n)
    return mean - half, mean + half


def seconds_of(values: Sequence[float]) -> Seconds | None:
    """The middle of some times, and the ranks between which it lies 95 times of 100 (binomial)."""
    if not values:
        return None
    ordered, n = sorted(values), len(values)
    low = max(0, floor((n - Z * sqrt(n)) / 2) - 1)
    high = min(n - 1, ceil((n + Z * sqrt(n)) / 2))
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return Seconds(
        of=n, median=middle, interval=(ordered[low], ordered[high]), most=ordered[ceil(0.95 * n) - 1]
    )
