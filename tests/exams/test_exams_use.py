"""A model in use: what became of its attempts, what stays of it, and when an alarm is raised."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now
from made_templates import MODEL
from scipy import stats
from sqlalchemy import text, update

from embedding.calibration import Calibration, CurvePoint, Target
from index.database.database import Database
from service.exams.checkin.document import IdentificationTerms, identify
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.evidence.retention import purge_exam
from service.exams.sessions import change_session
from service.exams.tables import CheckinRow
from service.exams.terms import SessionChanges
from service.exams.use.counting import Cell, UseCounts, count_use, monday_of
from service.exams.use.drift import find_alarms, promise_of
from service.exams.use.rates import wilson_interval

OVER = {"starts_at": hours_from_now(-48), "ends_at": hours_from_now(-24), "retention_days": 0}
TODAY = date(2026, 11, 26)


def decide(day: ExamDay, checkin_id: UUID, outcome: str) -> None:
    terms = OverrideTerms.model_validate({"outcome": outcome, "reason_code": "document_checked"})
    override(day.desk, checkin_id, terms, ORIGIN)


def counted(day: ExamDay) -> dict[str, UseCounts]:
    """The counts of each kiosk."""
    since = monday_of(datetime.now(UTC).date()) - timedelta(weeks=8)
    with day.desk.database.read() as db:
        return {kiosk: counts for (_, _, kiosk), counts in count_use(db, MODEL, since).items()}


def purge(day: ExamDay) -> None:
    """Remove the evidence of attempts that were a month ago."""
    with day.desk.database.write() as db:
        on_table = "" if day.desk.database.is_sqlite else " ON checkin"
        db.execute(text(f"DROP TRIGGER checkin_is_written_once{on_table}"))
        db.execute(update(CheckinRow).values(created_at=hours_from_now(-24 * 31)))
    closing = SessionChanges(closes_at=hours_from_now(-0.5), reason="the hall is empty")
    change_session(day.desk, day.session.id, closing, ORIGIN)
    purge_exam(day.desk.database, day.exam.id, ORIGIN)


def test_each_attempt_counts_as_what_people_and_later_attempts_made_of_it(exam_day: ExamDay) -> None:
    for number in range(1, 8):
        exam_day.enrol(f"c{number}", str(number))
    exam_day.roster(*(f"c{number},N{number},{number}" for number in range(1, 8)))
    near, far = "9", "3@58"

    exam_day.arrive("c1", "1", kiosk="east")
    wrong = exam_day.arrive("c2", "2", kiosk="east").checkin
    decide(exam_day, wrong.id, "refused")
    right = exam_day.arrive("c3", far, kiosk="east").checkin
    decide(exam_day, right.id, "admitted")
    stranger = exam_day.arrive("c4", near, kiosk="east").checkin
    decide(exam_day, stranger.id, "refused")
    exam_day.arrive("c5", near, kiosk="west")
    exam_day.arrive("c5", "5", kiosk="west")
    exam_day.arrive("c6", near, kiosk="west")
    shown = {"candidate": "c6", "document_type": "passport"}
    identify(exam_day.desk, exam_day.session.id, IdentificationTerms.model_validate(shown), ORIGIN)
    exam_day.arrive("c7", near, kiosk="west")
    exam_day.arrive(None, "7", kiosk="west")

    assert counted(exam_day) == {
        "east": UseCounts(
            attempts=4,
            matches=2,
            referred=2,
            overridden=3,
            refused=2,
            found_right=1,
            found_wrong=1,
            false_matches=1,
            matches_checked=1,
        ),
        "west": UseCounts(attempts=4, matches=1, referred=3, found_right=1, matched_later=2),
    }


def test_counts_stay_when_the_evidence_goes_but_not_those_of_few(
    open_exam_day: Callable[..., ExamDay], database: Database
) -> None:
    day = open_exam_day(database, attempts_allowed=100, **OVER)
    day.enrol("c1", "1")
    day.roster("c1,Ann,A")
    for _ in range(21):
        day.arrive("c1", "9", kiosk="east")
    for _ in range(20):
        day.arrive("c1", "9", kiosk="west")
    for _ in range(3):
        day.arrive("c1", "9", kiosk="north")

    purge(day)

    assert {kiosk: counts.attempts for kiosk, counts in counted(day).items()} == {"east": 21, "west": 20}


def test_few_attempts_of_several_kiosks_are_kept_together_without_their_names(
    open_exam_day: Callable[..., ExamDay], sqlite_exam_day: ExamDay
) -> None:
    day = open_exam_day(sqlite_exam_day.desk.database, attempts_allowed=100, **OVER)
    day.enrol("c1", "1")
    day.roster("c1,Ann,A")
    for kiosk in ("east", "west"):
        for _ in range(10):
            day.arrive("c1", "9", kiosk=kiosk)

    purge(day)

    assert {kiosk: counts.attempts for kiosk, counts in counted(day).items()} == {"": 20}


@pytest.mark.parametrize(("count", "of"), [(0, 1), (1, 1), (0, 100), (3, 100), (97, 100), (41, 12_345)])
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_an_interval_is_wilsons(count: int, of: int, level: float) -> None:
    theirs = stats.binomtest(count, of).proportion_ci(level, method="wilson")

    assert wilson_interval(count, of, level) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_an_alarm_needs_the_whole_interval_above_the_weeks_before() -> None:
    before = {week(8): UseCounts(attempts=1000, matches=950, referred=50)}

    # Wilson at 99 %, by SciPy: 50 of 1000 reach up to 7.09 %; 106 of 1000 down to 8.4 %, 90 of 1000 to 6.9 %.
    risen = find_alarms(
        {**before, week(1): UseCounts(attempts=1000, matches=894, referred=106)}, TODAY, 1e-4, None
    )
    same = find_alarms(
        {**before, week(1): UseCounts(attempts=1000, matches=910, referred=90)}, TODAY, 1e-4, None
    )

    assert [(one.rate, one.above) for one in risen] == [("referral", "before")]
    assert risen[0].limit == pytest.approx(0.0709, abs=1e-4)
    assert same == []


def test_misses_above_what_the_calibration_promised_are_an_alarm() -> None:
    promise = promise_of(promising(fnmr=0.02, interval=(0.01, 0.03)), 1e-3)
    assert promise is not None

    def alarms(missed: int) -> list[tuple[str, str]]:
        counts = UseCounts(attempts=1000, matches=1000 - missed, found_right=missed // 2)
        counts.matched_later = missed - missed // 2
        return [(one.rate, one.above) for one in find_alarms({week(0): counts}, TODAY, 1e-3, promise)]

    assert alarms(80) == [("false_non_match", "promised")]
    assert alarms(30) == []


def test_one_false_match_in_few_attempts_is_more_than_the_rate_permits() -> None:
    def alarms(attempts: int) -> list[str]:
        counts = UseCounts(attempts=attempts, matches=attempts, false_matches=1)
        return [one.rate for one in find_alarms({week(0): counts}, TODAY, 1e-4, None)]

    assert alarms(500) == ["false_match"]
    assert alarms(5000) == []


def test_too_few_attempts_raise_no_alarm() -> None:
    counts = UseCounts(attempts=99, matches=9, referred=90, false_matches=9)

    assert (
        find_alarms({week(0): counts, week(9): UseCounts(attempts=500, matches=500)}, TODAY, 1e-4, None) == []
    )


def test_the_promise_is_the_measured_point_at_the_rate_or_the_next_stricter_one() -> None:
    calibration = promising(fnmr=0.02, interval=(0.01, 0.03))

    assert promise_of(calibration, 5e-4) is None
    assert [promise_of(calibration, fmr).false_non_match for fmr in (1e-3, 5e-3)] == [0.02, 0.02]  # type: ignore[union-attr]


def week(ago: int) -> Cell:
    return MODEL, monday_of(TODAY) - timedelta(weeks=ago), "east"


def promising(fnmr: float, interval: tuple[float, float]) -> Calibration:
    return Calibration.new(
        created=datetime(2026, 1, 1, tzinfo=UTC),
        data="made",
        identities=100,
        mated=1000,
        non_mated=5_000_000,
        curve=[CurvePoint(d=0.5, fmr=1e-6), CurvePoint(d=1.0, fmr=1e-3), CurvePoint(d=4, fmr=1)],
        targets=[
            Target(fmr=1e-3, threshold=1.0, threshold_interval=(0.9, 1.1), fnmr=fnmr, fnmr_interval=interval)
        ],
    )
