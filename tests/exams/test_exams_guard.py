"""What may change once an exam counts: rates, windows and retention take a reason, some an administrator."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now
from sqlalchemy import select, update

from index import audit
from index.audit import Origin
from index.clock import ClockWatch, confirm_clock, read_boot_id
from index.database.database import Database
from index.errors import ClockLeapt
from index.ids import uuid7
from index.tables import ApiKeyRow, AuditEventRow, utc_now
from service.errors import Forbidden
from service.exams.archive import remove_exam
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.photograph import checkins_page
from service.exams.errors import ExamArchived, ExamNotFound, ReasonRequired, RetentionRunning, SessionOpen
from service.exams.evidence.export import export_evidence
from service.exams.evidence.retention import purge_exam
from service.exams.evidence.sweeping import plan_sweep, sweep
from service.exams.evidence.verifying import verify_evidence
from service.exams.exams import change_exam, exams_page, find_exam
from service.exams.guard import refuse_while_open
from service.exams.schemas import Verdict
from service.exams.sessions import change_session, create_kiosk_key, find_session
from service.exams.tables import RosterEntryRow
from service.exams.terms import ExamChanges, SessionChanges

PLANNER = replace(ORIGIN, is_admin=False)
REFUSED = OverrideTerms(outcome=Verdict.REFUSED, reason_code="impersonation_suspected")
WHY = "asked for by the exam office"
LATER = timedelta(hours=25)


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """An open session with one attempt."""
    exam_day.enrol("c1", "1")
    exam_day.roster("c1,Ann,A", create_subjects=True)
    exam_day.arrive("c1", "1")
    return exam_day


def change(day: ExamDay, by: Origin = PLANNER, /, **changes: Any) -> None:
    """A change of the session, or of the exam where a field is the exam's."""
    of_session = {"opens_at", "closes_at", "room"} & changes.keys()
    if of_session or changes.pop("of_session", False):
        change_session(day.desk, day.session.id, SessionChanges.model_validate(changes), by)
    else:
        change_exam(day.desk, day.exam.id, ExamChanges.model_validate(changes), by)


class TestRates:
    @pytest.mark.parametrize("field", ["match_fmr", "refer_fmr"])
    @pytest.mark.parametrize("of_session", [True, False])
    def test_are_raised_by_an_administrator_with_a_reason_only(
        self, exam_day: ExamDay, field: str, of_session: bool
    ) -> None:
        higher = {field: 5e-4 if field == "match_fmr" else 5e-3, "of_session": of_session}

        with pytest.raises(Forbidden):
            change(exam_day, **higher, reason=WHY)
        with pytest.raises(ReasonRequired):
            change(exam_day, ORIGIN, **higher)
        change(exam_day, ORIGIN, **higher, reason=WHY)

    def test_are_raised_by_removing_a_stricter_one_too(self, exam_day: ExamDay) -> None:
        change(exam_day, of_session=True, match_fmr=5e-5)

        with pytest.raises(Forbidden):
            change(exam_day, of_session=True, match_fmr=None)

    def test_are_lowered_by_whoever_plans_the_exam(self, exam_day: ExamDay) -> None:
        change(exam_day, match_fmr=5e-5)

        assert find_exam(exam_day.desk, exam_day.exam.id).match_fmr == 5e-5

    def test_have_a_ceiling_for_everybody(self) -> None:
        with pytest.raises(ValueError, match="less than or equal to"):
            SessionChanges.model_validate({"match_fmr": 0.5})


class TestWindows:
    def test_of_an_open_session_move_with_a_reason(self, hall: ExamDay) -> None:
        with pytest.raises(ReasonRequired):
            change(hall, closes_at=hours_from_now(3))
        change(hall, closes_at=hours_from_now(3), reason=WHY)
        change(hall, closes_at=utc_now(), reason=WHY)

    def test_that_would_be_opened_now_move_with_a_reason(self, exam_day: ExamDay) -> None:
        change(exam_day, opens_at=hours_from_now(5), closes_at=hours_from_now(7), reason=WHY)

        change(exam_day, opens_at=hours_from_now(4))
        with pytest.raises(ReasonRequired):
            change(exam_day, opens_at=hours_from_now(-1))

    def test_end_before_an_attempt_for_an_administrator_only(self, hall: ExamDay) -> None:
        with pytest.raises(Forbidden, match="before a recorded attempt"):
            change(hall, closes_at=hours_from_now(-0.5), reason=WHY)
        change(hall, ORIGIN, closes_at=hours_from_now(-0.5), reason=WHY)

    @pytest.mark.parametrize("field", ["opens_at", "starts_at"])
    def test_begin_after_an_attempt_for_an_administrator_only(self, hall: ExamDay, field: str) -> None:
        later = {field: hours_from_now(0.5)}

        with pytest.raises(Forbidden, match=f"{field} after a recorded attempt"):
            change(hall, **later, reason=WHY)
        with pytest.raises(ReasonRequired):
            change(hall, ORIGIN, **later)
        change(hall, ORIGIN, **later, reason=WHY)

        with hall.desk.database.read() as db:
            action = "session.changed" if field == "opens_at" else "exam.changed"
            event = audit.list_events(db, limit=10, action=action)[-1]
        assert event.details["changes"][field].keys() == {"from", "to"}
        assert event.details["reason"] == WHY

    def test_of_an_exam_begin_later_than_whoever_came_early_without_more_ado(self, hall: ExamDay) -> None:
        change(hall, ORIGIN, starts_at=hours_from_now(0.5), reason=WHY)

        change(hall, starts_at=hours_from_now(0.6))

    def test_leave_old_and_new_values_and_the_reason_in_the_trail(self, hall: ExamDay) -> None:
        closes = hours_from_now(3)
        change(hall, closes_at=closes, reason=WHY)

        with hall.desk.database.read() as db:
            (event,) = audit.list_events(db, limit=10, action="session.changed")
        assert event.details["reason"] == WHY
        assert event.details["changes"].keys() == {"closes_at"}
        assert event.details["changes"]["closes_at"]["to"] == closes.isoformat(timespec="microseconds")
        assert event.details["changes"]["closes_at"]["from"] < event.details["changes"]["closes_at"]["to"]


class TestTheArchive:
    def test_keeps_an_exam_with_an_attempt_and_lets_nothing_change(self, hall: ExamDay) -> None:
        desk, session_id = hall.desk, hall.session.id
        change(hall, closes_at=utc_now(), reason=WHY)

        archived = remove_exam(desk, hall.exam.id, PLANNER, None)

        assert archived is not None
        assert archived.archived_at is not None
        assert remove_exam(desk, hall.exam.id, PLANNER, None) == archived
        assert exams_page(desk, 10) == []
        assert [one.id for one in exams_page(desk, 10, archived=True)] == [hall.exam.id]
        assert len(export_evidence(desk, session_id, "c1", ORIGIN).checkins) == 1
        assert verify_evidence(desk.database) == []
        (checkin,) = checkins_page(desk, session_id, 10)
        refused: list[Callable[[], object]] = [
            lambda: hall.arrive("c1", "1"),
            lambda: hall.roster("c1,Ann,B"),
            lambda: change(hall, ORIGIN, name="Algebra", reason=WHY),
            lambda: change(hall, ORIGIN, closes_at=hours_from_now(1), reason=WHY),
            lambda: hall.another_session(),
            lambda: create_kiosk_key(desk, session_id, "door", ORIGIN, uuid7()),
            lambda: override(desk, checkin.id, REFUSED, ORIGIN),
        ]
        for attempt in refused:
            with pytest.raises(ExamArchived):
                attempt()

    def test_is_left_by_an_administrator_with_a_reason(self, hall: ExamDay) -> None:
        remove_exam(hall.desk, hall.exam.id, ORIGIN, WHY)

        with pytest.raises(Forbidden):
            change(hall, archived=False, reason=WHY)
        with pytest.raises(ReasonRequired):
            change(hall, ORIGIN, archived=False)
        change(hall, ORIGIN, archived=False, reason=WHY)

        assert [one.id for one in exams_page(hall.desk, 10)] == [hall.exam.id]
        assert find_session(hall.desk, hall.session.id).state == "open"

    def test_waits_while_a_session_is_open_unless_an_administrator_says_why(self, hall: ExamDay) -> None:
        with pytest.raises(SessionOpen):
            remove_exam(hall.desk, hall.exam.id, ORIGIN, None)
        with pytest.raises(Forbidden):
            remove_exam(hall.desk, hall.exam.id, PLANNER, WHY)
        remove_exam(hall.desk, hall.exam.id, ORIGIN, WHY)

        assert find_session(hall.desk, hall.session.id).state == "closed"
        assert refuse_while_open(hall.desk.database, "A promotion", None) == []

    def test_is_not_for_an_exam_that_nobody_has_been_at(self, exam_day: ExamDay) -> None:
        desk = exam_day.desk
        exam_day.roster("c1,Ann,A", create_subjects=True)
        key = create_kiosk_key(desk, exam_day.session.id, "door", ORIGIN, uuid7())

        assert remove_exam(desk, exam_day.exam.id, ORIGIN, WHY) is None

        with pytest.raises(ExamNotFound):
            find_exam(desk, exam_day.exam.id)
        with desk.database.read() as db:
            assert db.scalars(select(RosterEntryRow)).all() == []
            assert db.get_one(ApiKeyRow, key.id).revoked_at is not None
        assert verify_evidence(desk.database) == []


class TestRetention:
    @pytest.mark.parametrize(
        "shorter",
        [{"retention_days": 1}, {"appeal_ends_at": hours_from_now(3)}, {"thumbnail_retention_days": 1}],
    )
    def test_of_recorded_attempts_is_shortened_by_an_administrator_only(
        self, hall: ExamDay, shorter: dict[str, Any]
    ) -> None:
        change(hall, appeal_ends_at=hours_from_now(24 * 60))

        with pytest.raises(Forbidden):
            change(hall, **shorter, reason=WHY)
        change(hall, ORIGIN, **shorter, reason=WHY)

    def test_lasts_a_month_after_the_last_attempt_whatever_the_dates_say(self, hall: ExamDay) -> None:
        past = {"starts_at": hours_from_now(-900), "ends_at": hours_from_now(-800), "retention_days": 0}
        change(hall, ORIGIN, **past, reason=WHY)
        change(hall, ORIGIN, closes_at=hours_from_now(-0.5), reason=WHY)

        with pytest.raises(RetentionRunning):
            purge_exam(hall.desk.database, hall.exam.id, ORIGIN)


class TestAWrongClock:
    @pytest.fixture
    def due(self, database: Database, open_exam_day: Callable[..., ExamDay]) -> ExamDay:
        """An exam without attempts, past its time."""
        times = {"starts_at": hours_from_now(-99), "ends_at": hours_from_now(-98)}
        window = {"opens_at": hours_from_now(-99), "closes_at": hours_from_now(-98)}
        return open_exam_day(database, **times, **window, retention_days=0)

    def test_a_sweep_announces_and_the_next_day_removes(self, due: ExamDay) -> None:
        first = sweep(due.desk.database, ORIGIN)
        soon = sweep(due.desk.database, ORIGIN, utc_now() + timedelta(hours=23))
        later = sweep(due.desk.database, ORIGIN, utc_now() + LATER)

        assert (first.announced, first.purges, soon.purges) == ([due.exam.id], [], [])
        assert [one.exam_id for one in later.purges] == [due.exam.id]

    def test_a_plan_of_a_sweep_tells_what_it_would_do_and_does_nothing(self, due: ExamDay) -> None:
        database = due.desk.database

        assert plan_sweep(database, ORIGIN).announced == [due.exam.id]
        assert plan_sweep(database, ORIGIN, utc_now() + LATER).purges == []
        sweep(database, ORIGIN)
        planned = plan_sweep(database, ORIGIN, utc_now() + LATER)
        later = sweep(database, ORIGIN, utc_now() + LATER)

        assert [one.exam_id for one in planned.purges] == [due.exam.id]
        assert [one.model_copy(update={"purged": True}) for one in planned.purges] == later.purges

    def test_what_was_made_due_meanwhile_is_not_removed_unannounced(
        self, due: ExamDay, open_exam_day: Callable[..., ExamDay]
    ) -> None:
        sweep(due.desk.database, ORIGIN)
        past = {"starts_at": hours_from_now(-99), "ends_at": hours_from_now(-98)}
        window = {"opens_at": hours_from_now(-99), "closes_at": hours_from_now(-98)}
        other = open_exam_day(due.desk.database, **past, **window, retention_days=0)

        swept = sweep(due.desk.database, ORIGIN, utc_now() + LATER)

        assert [one.exam_id for one in swept.purges] == [due.exam.id]
        assert swept.announced == [other.exam.id]

    @pytest.mark.parametrize("leap", [timedelta(days=400), timedelta(days=3), -timedelta(hours=1)])
    def test_stops_all_deleting_until_somebody_confirms_it(self, due: ExamDay, leap: timedelta) -> None:
        database = due.desk.database
        sweep(database, ORIGIN)

        with pytest.raises(ClockLeapt):
            sweep(database, ORIGIN, utc_now() + leap)
        with pytest.raises(ClockLeapt):
            purge_exam(database, due.exam.id, ORIGIN, now=utc_now() + timedelta(days=400))

        assert find_exam(due.desk, due.exam.id).purged_at is None

    @pytest.mark.parametrize("leap", [timedelta(hours=36), timedelta(minutes=6), -timedelta(minutes=6)])
    def test_that_events_do_not_show_is_noticed_by_whoever_runs_meanwhile(
        self, due: ExamDay, leap: timedelta
    ) -> None:
        database = due.desk.database
        watches = [ClockWatch(database), ClockWatch(database)]
        begun = [watch.look() for watch in watches]
        slewed = watches[0].look(utc_now() + timedelta(minutes=4))
        sweep(database, ORIGIN)
        now = utc_now() + leap

        noticed = watches[0].look(now)
        with pytest.raises(ClockLeapt):
            sweep(database, ORIGIN, now)
        with database.write() as db:
            confirm_clock(db, actor="test")
        # Whoever looks later does not ask for a second confirmation.
        later = watches[1].look(now)

        assert (begun, slewed, noticed, later) == ([False, False], False, True, True)
        if leap > timedelta(0):
            assert sweep(database, ORIGIN, now).announced == [due.exam.id]

    def test_between_two_runs_is_noticed_by_the_later_one(self, due: ExamDay, tmp_path: Path) -> None:
        if read_boot_id() is None:
            pytest.skip("this system does not say when it was started")
        database, file = due.desk.database, tmp_path / "clock.json"
        first = ClockWatch(database, file).look()
        sweep(database, ORIGIN)
        now = utc_now() + timedelta(hours=36)

        later = ClockWatch(database, file).look(now)

        assert (first, later) == (False, True)
        with pytest.raises(ClockLeapt):
            sweep(database, ORIGIN, now)

    @pytest.mark.parametrize("kept", ["{", '{"boot": "another", "at": "2020-01-01T00:00:00+00:00"}', None])
    def test_that_nobody_can_tell_from_a_pause_shortens_no_notice(
        self, due: ExamDay, tmp_path: Path, kept: str | None
    ) -> None:
        database, file = due.desk.database, tmp_path / "clock.json"
        if kept is not None:
            file.write_text(kept)
        sweep(database, ORIGIN)
        now = utc_now()

        noticed = ClockWatch(database, file).look(now + timedelta(hours=20))

        assert noticed is False
        assert sweep(database, ORIGIN, now + timedelta(hours=25)).purges == []
        after = sweep(database, ORIGIN, now + timedelta(hours=45))
        assert [one.exam_id for one in after.purges] == [due.exam.id]

    def test_that_left_events_behind_stops_all_deleting_after_it_is_put_right(self, due: ExamDay) -> None:
        database = due.desk.database
        sweep(database, ORIGIN)
        change(due, name="Algebra")
        with database.write() as db:
            newest = audit.list_events(db, limit=1000)[-1].seq
            ahead = utc_now() + timedelta(days=400)
            db.execute(update(AuditEventRow).where(AuditEventRow.seq == newest).values(at=ahead))
        change(due, name="Algebra I")

        with pytest.raises(ClockLeapt):
            sweep(database, ORIGIN, utc_now() + LATER)

        with database.write() as db:
            confirm_clock(db, actor="test")
        assert sweep(database, ORIGIN, utc_now() + LATER).purges == []


class TestASessionThatIsOpen:
    def test_holds_up_what_would_change_decisions(self, exam_day: ExamDay) -> None:
        with pytest.raises(SessionOpen):
            refuse_while_open(exam_day.desk.database, "A promotion", None)

        assert refuse_while_open(exam_day.desk.database, "A promotion", WHY) == [exam_day.session.id]

    def test_holds_up_nothing_once_it_is_closed(self, exam_day: ExamDay) -> None:
        change(exam_day, closes_at=utc_now(), reason=WHY)

        assert refuse_while_open(exam_day.desk.database, "A promotion", None) == []
