"""Rates in use, and the alarm when they drift.

The rule, in one sentence: an alarm is raised when the 99 % interval (Wilson) of a share of the last four
weeks lies wholly above that of the twelve weeks before, or above what the calibration promised, each with at
least a hundred attempts.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from embedding.calibration import Calibration
from service.exams.use.counting import Cell, UseCounts, monday_of
from service.exams.use.rates import Interval, Rate, wilson_interval

RECENT_WEEKS = 4
WEEKS_BEFORE = 12
FEWEST_ATTEMPTS = 100
ALARM_LEVEL = 0.99

RateName = Literal["referral", "override", "refusal", "false_non_match", "false_match"]


class Rates(BaseModel):
    """What the counts imply. Whoever was admitted and never checked is taken for right: nobody knows."""

    referral: Rate = Field(description="attempts that were referred")
    override: Rate = Field(description="attempts on which a person decided")
    refusal: Rate = Field(description="attempts that a person refused")
    false_non_match: Rate = Field(
        description="no match though the candidate was let in afterwards, of all attempts by candidates "
        "who are taken for right; per attempt, as the calibration's FNMR"
    )
    false_match: Rate = Field(
        description="matches that a person refused, of all attempts: the false matches that were found, "
        "and so a lower bound"
    )

    @classmethod
    def of(cls, counts: UseCounts) -> "Rates":
        """The rates of these counts."""
        missed = counts.found_right + counts.matched_later
        right = missed + counts.matches - counts.false_matches
        return cls(
            referral=Rate.counted(counts.referred, counts.attempts),
            override=Rate.counted(counts.overridden, counts.attempts),
            refusal=Rate.counted(counts.refused, counts.attempts),
            false_non_match=Rate.counted(missed, right),
            false_match=Rate.counted(counts.false_matches, counts.attempts),
        )


class Promise(BaseModel):
    """What the calibration says of the operating point."""

    fmr: float
    false_non_match: float
    interval: Interval | None


class Alarm(BaseModel):
    """A rate that has risen above what was promised, or above what it was before."""

    rate: RateName
    above: Literal["promised", "before"]
    now: Rate
    limit: float = Field(description="what the whole 99 % interval lies above")


def promise_of(calibration: Calibration, match_fmr: float) -> Promise | None:
    """The measured operating point at this rate, or the next stricter one; None where none was measured."""
    measured = [target for target in calibration.targets if target.fmr <= match_fmr * (1 + 1e-9)]
    if not measured:
        return None
    target = max(measured, key=lambda one: one.fmr)
    return Promise(fmr=match_fmr, false_non_match=target.fnmr, interval=target.fnmr_interval)


def first_week(today: date, weeks: int) -> date:
    """The Monday of the first of so many weeks, the present one counted."""
    return monday_of(today) - timedelta(weeks=weeks - 1)


def total_of(cells: dict[Cell, UseCounts], start: date, end: date | None = None) -> UseCounts:
    """The counts of the weeks from one Monday to before another."""
    return sum_counts(
        counts for (_, week, _), counts in cells.items() if start <= week and (end is None or week < end)
    )


def sum_counts(several: Iterable[UseCounts]) -> UseCounts:
    """Counts together."""
    total = UseCounts()
    for counts in several:
        total.add(counts)
    return total


def find_alarms(
    cells: dict[Cell, UseCounts], today: date, match_fmr: float, promise: Promise | None
) -> list[Alarm]:
    """The alarms of a model.

    Args:
        cells: Of the last `RECENT_WEEKS + WEEKS_BEFORE` weeks at least.
        today: The day in UTC.
        match_fmr: The configured false match rate.
        promise: Of the calibration.
    """
    start = first_week(today, RECENT_WEEKS)
    now = total_of(cells, start)
    before = total_of(cells, start - timedelta(weeks=WEEKS_BEFORE), start)
    if now.attempts < FEWEST_ATTEMPTS:
        return []
    rates = Rates.of(now)
    found = [alarm_of("false_match", "promised", rates.false_match, match_fmr)]
    if promise is not None:
        limit = promise.interval[1] if promise.interval else promise.false_non_match
        found.append(alarm_of("false_non_match", "promised", rates.false_non_match, limit))
    if before.attempts >= FEWEST_ATTEMPTS:
        earlier = Rates.of(before)
        found += [
            alarm_of("referral", "before", rates.referral, upper_of(earlier.referral)),
            alarm_of("false_non_match", "before", rates.false_non_match, upper_of(earlier.false_non_match)),
        ]
    return [one for one in found if one is not None]


def alarm_of(name: RateName, above: Literal["promised", "before"], now: Rate, limit: float) -> Alarm | None:
    """The alarm, where the whole interval of the present rate lies above the limit."""
    if not now.of or wilson_interval(now.count, now.of, ALARM_LEVEL)[0] <= limit:
        return None
    return Alarm(rate=name, above=above, now=now, limit=limit)


def upper_of(rate: Rate) -> float:
    """The upper end of a rate's interval; 1, which nothing is above, where nothing was counted."""
    return wilson_interval(rate.count, rate.of, ALARM_LEVEL)[1] if rate.of else 1.0
