"""Holds: what somebody may need as evidence is kept from every sweep, and the overview says so."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from fixtures_exams import ORIGIN, ExamDay, ExamService, hours_from_now

from index import audit
from index.consent.expiry import sweep_expired
from index.database.database import Database
from index.errors import SubjectNotFound, SubjectOnHold
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects
from index.tables import utc_now
from service.access.scopes import Scope
from service.exams.archive import remove_exam
from service.exams.checkin.photograph import find_checkin
from service.exams.checkin.thumbnails import open_thumbnail
from service.exams.errors import ExamNotFound, ExamOnHold, ExamPurged, HoldLifted
from service.exams.evidence.overview import KeptKind, Rules, exams_page, survey
from service.exams.evidence.retention import purge_exam
from service.exams.evidence.sweeping import sweep
from service.exams.exams import find_exam
from service.exams.holds import (
    NewHold,
    find_holds_of_person,
    held_people,
    lift_hold,
    list_holds,
    put_hold,
)
from service.exams.sessions import change_session
from service.exams.terms import SessionChanges

DAY = timedelta(hours=25)
RULES = Rules(crop_days=None, erase_days=30, answer_hours=24, job_folders=0)
PAST = {
    "starts_at": hours_from_now(-99),
    "ends_at": hours_from_now(-98),
    "opens_at": hours_from_now(-99),
    "closes_at": hours_from_now(-98),
}
Open = Callable[..., ExamDay]


@pytest.fixture
def over(database: Database, open_exam_day: Open) -> ExamDay:
    """An exam past its time, with one expected candidate."""
    hall = open_exam_day(database, cipher=TemplateCipher(bytes(range(32))), **PAST, retention_days=0)
    hall.enrol("c1", "1")
    hall.roster("c1,Ann,A")
    return hall


def hold_exam(hall: ExamDay) -> UUID:
    new = NewHold.model_validate({"exam_id": hall.exam.id, "kind": "legal", "reason": "court asks"})
    return put_hold(hall.desk.database, new, ORIGIN).id


def hold_candidate(hall: ExamDay) -> UUID:
    terms = {"subject_id": hall.subjects["c1"], "kind": "appeal", "reason": "appeal of 3 May"}
    return put_hold(hall.desk.database, NewHold.model_validate(terms), ORIGIN).id


def kind_of(hall: ExamDay, kind: str) -> KeptKind:
    found = survey(hall.desk.database, RULES)
    return next(one for one in found.kinds if one.kind == kind)


@pytest.mark.parametrize("hold", [hold_exam, hold_candidate])
def test_what_is_on_hold_is_neither_announced_nor_purged(
    over: ExamDay, hold: Callable[[ExamDay], UUID]
) -> None:
    database, hold_id = over.desk.database, hold(over)

    swept = [sweep(database, ORIGIN), sweep(database, ORIGIN, utc_now() + DAY)]
    with pytest.raises(ExamOnHold):
        purge_exam(database, over.exam.id, ORIGIN)

    assert [(one.announced, one.purges) for one in swept] == [([], []), ([], [])]
    lift_hold(database, hold_id, "withdrawn", ORIGIN)
    assert sweep(database, ORIGIN).announced == [over.exam.id]


@pytest.mark.parametrize("hold", [hold_exam, hold_candidate])
def test_what_was_announced_before_a_hold_is_announced_again_after_it(
    over: ExamDay, hold: Callable[[ExamDay], UUID]
) -> None:
    database = over.desk.database
    sweep(database, ORIGIN)
    lift_hold(database, hold(over), "put by mistake", ORIGIN)

    at_once = sweep(database, ORIGIN, utc_now() + timedelta(hours=23))
    a_day_later = sweep(database, ORIGIN, utc_now() + DAY)

    assert (at_once.purges, [one.exam_id for one in a_day_later.purges]) == ([], [over.exam.id])
    assert find_exam(over.desk, over.exam.id).purged_at is not None


@pytest.mark.parametrize("hold", [hold_exam, hold_candidate])
def test_a_picture_on_hold_is_kept_and_shown_past_its_time(
    database: Database, open_exam_day: Open, astronaut_jpeg: bytes, hold: Callable[[ExamDay], UUID]
) -> None:
    hall = open_exam_day(database, cipher=TemplateCipher(bytes(range(32))))
    hall.enrol("c1", "1")
    hall.roster("c1,Ann,A")
    case = hall.arrive("c1", "9", photograph=astronaut_jpeg).checkin.id
    hold_id = hold(hall)
    window = {"opens_at": hours_from_now(-100), "closes_at": hours_from_now(-73), "reason": "the wrong day"}
    change_session(hall.desk, hall.session.id, SessionChanges.model_validate(window), ORIGIN)

    swept = sweep(database, ORIGIN)

    assert (swept.thumbnails, find_checkin(hall.desk, case).has_thumbnail) == (0, True)
    assert open_thumbnail(hall.desk, case, ORIGIN).startswith(b"\xff\xd8")
    lift_hold(database, hold_id, "settled", ORIGIN)
    assert find_checkin(hall.desk, case).has_thumbnail is False
    assert sweep(database, ORIGIN, utc_now() + timedelta(hours=1)).thumbnails == 0
    assert sweep(database, ORIGIN, utc_now() + DAY).thumbnails == 1


@pytest.mark.parametrize("hold", [hold_exam, hold_candidate])
def test_nobody_on_hold_is_erased_by_a_sweep_and_on_demand_only_with_a_reason(
    over: ExamDay, hold: Callable[[ExamDay], UUID]
) -> None:
    database, subject = over.desk.database, over.subjects["c1"]
    ended = {"basis": "consent", "expires_at": hours_from_now(-24 * 40).isoformat()}
    Subjects(database).change(subject, legal_basis=ended, actor="test")
    after = timedelta(days=30)
    hold(over)
    erase = over.desk.gallery.erase

    swept = sweep_expired(database, after, actor="test", spared=held_people)
    with pytest.raises(SubjectOnHold):
        erase(subject, actor="test", find_holds=find_holds_of_person)

    assert (swept.announced, swept.erased, kind_of(over, "subjects").held) == (0, 0, 1)
    erase(subject, actor="test", despite_hold="a court says so", find_holds=find_holds_of_person)
    with pytest.raises(SubjectNotFound):
        Subjects(database).find(subject)
    with database.read() as db:
        (event,) = audit.list_events(db, limit=5, action="hold.overridden")
    assert event.details["reason"] == "a court says so"


def test_an_erasure_that_was_announced_waits_a_day_after_a_hold_is_lifted(over: ExamDay) -> None:
    database, after = over.desk.database, timedelta(days=30)
    ended = {"basis": "consent", "expires_at": hours_from_now(-24 * 40).isoformat()}
    Subjects(database).change(over.subjects["c1"], legal_basis=ended, actor="test")
    sweep_expired(database, after, actor="test", spared=held_people)
    lift_hold(database, hold_candidate(over), "by mistake", ORIGIN)

    soon = sweep_expired(
        database, after, actor="test", now=utc_now() + timedelta(hours=23), spared=held_people
    )
    later = sweep_expired(database, after, actor="test", now=utc_now() + DAY, spared=held_people)

    assert (soon.erased, later.erased) == (0, 1)


def test_an_exam_without_attempts_is_not_deleted_on_hold(over: ExamDay) -> None:
    hold_id = hold_exam(over)

    with pytest.raises(ExamOnHold):
        remove_exam(over.desk, over.exam.id, ORIGIN, None)

    lift_hold(over.desk.database, hold_id, "settled", ORIGIN)
    assert remove_exam(over.desk, over.exam.id, ORIGIN, None) is None
    assert list_holds(over.desk.database, 10, lifted=True) == []


def test_a_hold_is_put_on_what_exists_once_and_lifted_once(over: ExamDay) -> None:
    database, known = over.desk.database, over.exam.id
    terms = {"exam_id": known, "kind": "complaint", "reason": "letter of 3 May"}
    new, hold_id = NewHold.model_validate(terms), UUID(int=7)

    made = [put_hold(database, new, ORIGIN, hold_id) for _ in range(2)]
    lifted = lift_hold(database, hold_id, "answered", ORIGIN)

    assert made[0] == made[1]
    assert (lifted.lifted_because, list_holds(database, 10)) == ("answered", [])
    with pytest.raises(HoldLifted):
        lift_hold(database, hold_id, "again", ORIGIN)
    with pytest.raises(ExamNotFound):
        put_hold(database, new.model_copy(update={"exam_id": UUID(int=8)}), ORIGIN)
    purge_exam(database, known, ORIGIN)
    with pytest.raises(ExamPurged):
        put_hold(database, new, ORIGIN)


def test_the_overview_says_what_is_announced_next_and_what_waits(over: ExamDay) -> None:
    database = over.desk.database
    (due,) = exams_page(database, 5)
    sweep(database, ORIGIN)
    (told,) = exams_page(database, 5)
    hold_candidate(over)
    (held,) = exams_page(database, 5)

    assert [one.standing for one in (due, told, held)] == ["due", "announced", "held"]
    assert told.announced_at is not None
    assert told.goes_at == told.announced_at + timedelta(days=1)
    assert (held.candidates_on_hold, held.holds, held.goes_at, held.roster_entries) == (True, [], None, 1)
    assert exams_page(database, 5, standing=due.standing) == []
    counted = kind_of(over, "exams")
    assert (counted.kept, counted.next, counted.announced, counted.held) == (1, 0, 0, 1)


class TestOverHttp:
    def test_whoever_plans_exams_puts_and_lifts_and_an_auditor_reads(self, exam_service: ExamService) -> None:
        service = exam_service.service
        office, auditor = service.key(Scope.EXAMS_WRITE), service.key(Scope.AUDIT_READ)
        new = {"exam_id": exam_service.exam_id, "kind": "appeal", "reason": "appeal of a candidate"}

        refused = service.call("POST", "/v1/holds", key=auditor, json=new)
        put = service.call("POST", "/v1/holds", key=office, json=new)
        (exam,) = service.call("GET", "/v1/retention/exams", key=auditor).json()["items"]
        kinds = service.call("GET", "/v1/retention", key=auditor).json()["kinds"]
        lifted = service.call(
            "POST", f"/v1/holds/{put.json()['id']}/lift", key=office, json={"reason": "it was settled"}
        )

        assert (refused.status_code, put.status_code, lifted.status_code) == (403, 201, 200)
        assert (exam["standing"], exam["holds"][0]["kind"]) == ("held", "appeal")
        assert [one["held"] for one in kinds if one["kind"] == "exams"] == [1]
        nothing = service.call("POST", "/v1/holds", key=office, json={"kind": "legal", "reason": "no one"})
        assert (nothing.status_code, nothing.json()["code"]) == (422, "validation_failed")

    def test_erasing_somebody_on_hold_says_so_and_takes_an_administrator(
        self, exam_service: ExamService
    ) -> None:
        service = exam_service.service
        subject = service.subject("s-held")
        new = {"subject_id": subject, "kind": "legal", "reason": "a court asks"}
        hold = service.call("POST", "/v1/holds", json=new).json()
        path, registrar = f"/v1/subjects/{subject}", service.key(Scope.ENROL)
        despite = f"{path}?despite_hold=the%20court%20has%20agreed"

        refused = service.call("DELETE", path, key=registrar)
        forbidden = service.call("DELETE", despite, key=registrar)
        erased = service.call("DELETE", despite)

        assert (refused.status_code, refused.json()["code"]) == (409, "on_hold")
        assert refused.json()["holds"] == [hold["id"]]
        assert (forbidden.status_code, erased.status_code) == (403, 200)
