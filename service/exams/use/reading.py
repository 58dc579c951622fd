"""A model's use as it is shown: by week, by kiosk, in all, and the alarms."""

from collections.abc import Iterable
from datetime import date

from pydantic import BaseModel, Field

from index.database.database import Database
from index.tables import utc_now
from service.decisions.decision import Policy
from service.exams.use.counting import Cell, UseCounts, count_use
from service.exams.use.drift import (
    FEWEST_ATTEMPTS,
    RECENT_WEEKS,
    WEEKS_BEFORE,
    Alarm,
    Promise,
    Rates,
    find_alarms,
    first_week,
    promise_of,
    sum_counts,
)


class Use(BaseModel):
    """Counts and the rates that they imply."""

    counts: UseCounts
    rates: Rates

    @classmethod
    def of(cls, counts: UseCounts) -> "Use":
        """The use that these counts describe."""
        return cls(counts=counts, rates=Rates.of(counts))


class WeekOfUse(Use):
    """One week; weeks without an attempt are left out."""

    week: date = Field(description="its Monday (UTC)")


class KioskOfUse(Use):
    """One kiosk."""

    kiosk: str = Field(
        description="empty for attempts at no kiosk, and for those of few attempts whose evidence is gone"
    )


class ModelUse(BaseModel):
    """What became of a model's attempts: counts, and never a person."""

    model_id: str
    since: date
    total: Use
    weeks: list[WeekOfUse]
    kiosks: list[KioskOfUse]
    promised: Promise | None = Field(
        description="by the calibration, at the installation's match rate; null where nothing was measured"
    )
    alarms: list[Alarm] = Field(description="of the active model")
    recent_weeks: int = RECENT_WEEKS
    weeks_before: int = WEEKS_BEFORE
    fewest_attempts: int = Field(default=FEWEST_ATTEMPTS, description="below which there is no alarm")


def read_use(database: Database, model_id: str, weeks: int, policy: Policy | None) -> ModelUse:
    """A model's use in so many weeks, the present one counted.

    Args:
        database: With the attempts.
        model_id: Of a registered model.
        weeks: At least one.
        policy: Of the model, where it is the active one; only then there are alarms.
    """
    today = utc_now().date()
    since = first_week(today, weeks)
    with database.read() as db:
        found = count_use(db, model_id, first_week(today, max(weeks, RECENT_WEEKS + WEEKS_BEFORE)))
    cells = {cell: counts for cell, counts in found.items() if cell[1] >= since}
    return ModelUse(
        model_id=model_id,
        since=since,
        total=use_in(cells.values()),
        weeks=by_week(cells),
        kiosks=by_kiosk(cells),
        promised=promise_of(policy.calibration, policy.match_fmr) if policy else None,
        alarms=alarms_in(found, today, policy) if policy else [],
    )


def read_alarms(database: Database, model_id: str, policy: Policy) -> list[Alarm]:
    """The alarms of the active model."""
    today = utc_now().date()
    with database.read() as db:
        return alarms_in(
            count_use(db, model_id, first_week(today, RECENT_WEEKS + WEEKS_BEFORE)), today, policy
        )


def alarms_in(cells: dict[Cell, UseCounts], today: date, policy: Policy) -> list[Alarm]:
    """The alarms that these counts raise."""
    return find_alarms(cells, today, policy.match_fmr, promise_of(policy.calibration, policy.match_fmr))


def by_week(cells: dict[Cell, UseCounts]) -> list[WeekOfUse]:
    """The counts of each week, in order."""
    weeks = sorted({week for _, week, _ in cells})
    return [
        WeekOfUse(week=week, **dict(use_in(counts for cell, counts in cells.items() if cell[1] == week)))
        for week in weeks
    ]


def by_kiosk(cells: dict[Cell, UseCounts]) -> list[KioskOfUse]:
    """The counts of each kiosk, in order."""
    kiosks = sorted({kiosk for _, _, kiosk in cells})
    return [
        KioskOfUse(kiosk=kiosk, **dict(use_in(counts for cell, counts in cells.items() if cell[2] == kiosk)))
        for kiosk in kiosks
    ]


def use_in(several: Iterable[UseCounts]) -> Use:
    """Counts together, and their rates."""
    return Use.of(sum_counts(several))
