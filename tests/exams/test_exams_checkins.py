"""At the door: who is let in, who is referred, and what is written down about it, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now, made_face
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError as DriverError
from sqlalchemy.exc import IntegrityError

from embedding.errors import FaceNotFound, QualityRefused
from index import audit
from index.database.database import Database
from index.ids import uuid7
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects
from index.tables import TemplateRow
from index.twins import note_twins
from service.errors import SessionNotFound
from service.exams.checkin import comparison as comparing
from service.exams.checkin.document import IdentificationTerms, identify
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.photograph import Result
from service.exams.checkin.rules import MOST_UNDECIDED_SEARCHES
from service.exams.errors import (
    AlreadyCheckedIn,
    AttemptsExhausted,
    CandidateRequired,
    CheckinRefused,
    ManualIdentificationAgreed,
    NothingToCompare,
    NotOnRoster,
    SessionClosed,
)
from service.exams.exams import change_exam, create_exam
from service.exams.roster.readiness import readiness
from service.exams.roster.today import read_let_in_today
from service.exams.sessions import change_session, create_session
from service.exams.status import candidates_page
from service.exams.tables import AdmissionRow, CheckinRow, RosterEntryRow, SessionRow
from service.exams.terms import ExamChanges, ExamTerms, SessionChanges, SessionTerms


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """Three candidates with seats, each enrolled."""
    for number in (1, 2, 3):
        exam_day.enrol(f"c{number}", str(number))
    exam_day.roster("c1,Ann,A", "c2,Ben,B", "c3,Cat,C")
    return exam_day


def test_the_right_person_is_let_in_and_everything_is_written_down(hall: ExamDay) -> None:
    result = hall.arrive("c1", "1@20", kiosk="door 2")

    checkin = result.checkin
    assert (checkin.outcome, checkin.decision, checkin.mode) == ("admitted", "match", "claimed")
    assert (checkin.external_id, checkin.display_name, checkin.seat) == ("c1", "Ann", "A")
    assert checkin.d == pytest.approx(0.1206, abs=1e-3)
    assert checkin.threshold is not None
    assert checkin.fmr is not None
    assert checkin.calibration is not None
    assert (checkin.threshold.match, checkin.threshold.refer) == pytest.approx((0.8, 1.2))
    assert (checkin.fmr.match, checkin.fmr.refer, checkin.fmr.at_d) == (1e-4, 1e-3, None)
    assert checkin.calibration.identities == 1000
    assert (checkin.actor, checkin.kiosk, checkin.request_id) == ("test", "door 2", "request-1")
    assert (result.attempts_made, result.attempts_allowed) == (1, 3)


@pytest.mark.parametrize(
    ("picture", "decision"), [("1@60", "refer"), ("1@75", "no_match"), ("9", "no_match")]
)
def test_who_is_not_near_enough_goes_to_the_invigilator(hall: ExamDay, picture: str, decision: str) -> None:
    checkin = hall.arrive("c1", picture).checkin

    assert (checkin.outcome, checkin.decision) == ("referred", decision)


def test_a_candidate_is_let_in_once(hall: ExamDay) -> None:
    first = hall.arrive("c1", "1").checkin

    with pytest.raises(AlreadyCheckedIn) as refused:
        hall.arrive("c1", "1")

    assert refused.value.members["seat"] == "A"
    assert refused.value.members["checkin_id"] == str(first.id)


def test_two_kiosks_in_the_same_moment_let_a_candidate_in_once(hall: ExamDay) -> None:
    # Both have looked at their photograph before either may decide.
    hall.embedder.waits = Barrier(2, timeout=30).wait

    def attempt(_: int) -> str:
        try:
            return str(hall.arrive("c1", "1").checkin.outcome)
        except AlreadyCheckedIn as refused:
            return refused.code

    with ThreadPoolExecutor(2) as kiosks:
        outcomes = sorted(kiosks.map(attempt, range(2)))

    assert outcomes == ["admitted", "already_checked_in"]
    with hall.desk.database.read() as db:
        assert db.scalar(select(func.count()).select_from(AdmissionRow)) == 1
        assert db.scalar(select(func.count()).select_from(CheckinRow)) == 1


def test_two_doors_of_two_processes_let_a_candidate_in_once(
    hall: ExamDay, database_url: str, open_database: Callable[[str], Database]
) -> None:
    from dataclasses import replace

    other = replace(hall, desk=replace(hall.desk, database=open_database(database_url)))
    hall.embedder.waits = Barrier(8, timeout=30).wait

    def attempt(number: int) -> str:
        try:
            return str((hall, other)[number % 2].arrive("c1", "1").checkin.outcome)
        except AlreadyCheckedIn as refused:
            return refused.code

    with ThreadPoolExecutor(8) as kiosks:
        outcomes = sorted(kiosks.map(attempt, range(8)))

    assert outcomes == ["admitted"] + ["already_checked_in"] * 7


def test_the_table_itself_refuses_a_second_admission(hall: ExamDay) -> None:
    hall.arrive("c1", "1")

    columns = "entry_id, session_id, checkin_id, seat, outcome, at"
    values = "entry_id, session_id, checkin_id, 'Z', outcome, at"
    again = text(f"INSERT INTO admission ({columns}) SELECT {values} FROM admission")
    with pytest.raises(IntegrityError), hall.desk.database.write() as db:
        db.execute(again)


@pytest.mark.parametrize("table", ["checkin", "checkin_override"])
def test_evidence_cannot_be_changed(hall: ExamDay, table: str) -> None:
    checkin = hall.arrive("c1", "9").checkin
    terms = OverrideTerms(outcome="refused", reason_code="impersonation_suspected")  # type: ignore[arg-type]
    override(hall.desk, checkin.id, terms, ORIGIN)

    with hall.desk.database.write() as db:
        change = text(f"UPDATE {table} SET outcome = 'admitted'")
        with pytest.raises(DriverError, match="is evidence and cannot be changed"):
            db.execute(change)
        db.rollback()


def test_an_attempt_that_is_sent_again_is_recorded_once(hall: ExamDay) -> None:
    checkin_id = uuid7()

    first = hall.arrive("c1", "1", checkin_id=checkin_id)
    again = hall.arrive("c1", "1", checkin_id=checkin_id)

    assert again == first


def test_photographs_are_counted_against_the_attempts_allowed(hall: ExamDay) -> None:
    made = [hall.arrive("c1", "1@60").attempts_made for _ in range(3)]

    with pytest.raises(AttemptsExhausted):
        hall.arrive("c1", "1")
    assert made == [1, 2, 3]


def test_a_retake_that_matches_lets_the_candidate_in(hall: ExamDay) -> None:
    hall.arrive("c1", "1@60")

    result = hall.arrive("c1", "1")

    assert (result.checkin.outcome, result.attempts_made) == ("admitted", 2)


@pytest.mark.parametrize(("opens", "closes", "state"), [(1, 2, "has not opened yet"), (-2, -1, "has closed")])
def test_the_servers_clock_decides_and_the_clients_is_only_recorded(
    database: Database, open_exam_day: Callable[..., ExamDay], opens: float, closes: float, state: str
) -> None:
    day = open_exam_day(database, opens_at=hours_from_now(opens), closes_at=hours_from_now(closes))
    day.enrol("c1", "1")
    day.roster("c1,Ann,A")

    with pytest.raises(SessionClosed, match=state):
        day.arrive("c1", "1", client_time=hours_from_now((opens + closes) / 2))

    assert day.embedder.looked_at == []


def test_a_clock_that_is_wrong_is_recorded_as_such(hall: ExamDay) -> None:
    checkin = hall.arrive("c1", "1", client_time=hours_from_now(5)).checkin

    assert checkin.outcome == "admitted"
    assert checkin.clock_skew_s == pytest.approx(5 * 3600, abs=60)


def test_a_photograph_that_comes_after_the_door_has_closed_lets_nobody_in(hall: ExamDay) -> None:
    closing = SessionChanges(opens_at=hours_from_now(-2), closes_at=hours_from_now(-1), reason="the test")
    hall.embedder.waits = lambda: change_session(hall.desk, hall.session.id, closing, ORIGIN)

    with pytest.raises(SessionClosed):
        hall.arrive("c1", "1")


def give_number_to(hall: ExamDay, external_id: str, other: str) -> None:
    """The office puts two exchanged numbers right: the candidate of one is the person of the other."""
    subjects = Subjects(hall.desk.database)
    subjects.change(hall.subjects[external_id], external_id=f"{external_id}-former", actor="test")
    subjects.change(hall.subjects[other], external_id=external_id, actor="test")
    hall.roster(f"{external_id},Ann,A", mode="merge")


def test_whoever_is_put_right_while_a_photograph_is_looked_at_is_compared_as_who_they_are_now(
    hall: ExamDay,
) -> None:
    moves = iter([lambda: give_number_to(hall, "c1", "c3")])
    hall.embedder.waits = lambda: next(moves, lambda: None)()

    checkin = hall.arrive("c1", "1").checkin

    assert (checkin.outcome, checkin.decision) == ("referred", "no_match")
    assert hall.arrive("c1", "3").checkin.outcome == "admitted"


class PatientCipher(TemplateCipher):
    """Seals as ever; `waits` is called before."""

    waits: Callable[[], object] = staticmethod(lambda: None)

    def seal(self, binding: bytes, plain: bytes) -> tuple[bytes, str]:
        self.waits()
        return super().seal(binding, plain)


@pytest.mark.parametrize("claim", ["c1", None])
def test_a_template_that_is_removed_between_the_look_and_the_decision_lets_nobody_in(
    database: Database, open_exam_day: Callable[..., ExamDay], astronaut_jpeg: bytes, claim: str | None
) -> None:
    cipher = PatientCipher(bytes(range(32)))
    hall = open_exam_day(database, cipher=cipher, keep_probe_thumbnails=True)
    hall.enrol("c1", "1")
    hall.enrol("c2", "2")
    hall.roster("c1,Ann,A", "c2,Ben,B")
    with database.read() as db:
        mine = TemplateRow.subject_id == hall.subjects["c1"]
        (template_id,) = db.scalars(select(TemplateRow.id).where(mine))
    removals = iter([lambda: hall.desk.gallery.remove(hall.subjects["c1"], template_id, actor="test")])
    cipher.waits = lambda: next(removals, lambda: None)()

    if claim is None:
        assert hall.arrive(claim, "1", photograph=astronaut_jpeg).checkin.outcome == "referred"
    else:
        with pytest.raises(NothingToCompare):
            hall.arrive(claim, "1", photograph=astronaut_jpeg)


@pytest.mark.parametrize(
    ("external_id", "error"), [("nobody", NotOnRoster), ("c9", NotOnRoster), ("new", NothingToCompare)]
)
def test_who_is_not_expected_or_not_enrolled_is_turned_away_with_a_reason(
    hall: ExamDay, external_id: str, error: type[CheckinRefused]
) -> None:
    hall.enrol("c9", "4")
    hall.enrol("new")
    hall.roster("new,New,N", mode="merge")

    with pytest.raises(error):
        hall.arrive(external_id, "1")


def test_an_unknown_session_is_named(hall: ExamDay) -> None:
    with pytest.raises(SessionNotFound):
        hall.arrive("c1", "1", session_id=uuid7())


def test_nobody_looks_at_the_face_of_a_candidate_who_agreed_to_show_a_document(hall: ExamDay) -> None:
    hall.roster("c1,yes", header="external_id,manual_identification", mode="merge")

    with pytest.raises(ManualIdentificationAgreed):
        hall.arrive("c1", "1")

    assert hall.embedder.looked_at == []


class TestAPictureThatCannotBeUsed:
    @pytest.mark.parametrize(
        ("picture", "error", "code"),
        [("dark", QualityRefused, "under_exposed"), ("nobody", FaceNotFound, "face_not_found")],
    )
    def test_is_no_attempt_but_the_board_shows_who_is_trying(
        self, hall: ExamDay, picture: str, error: type[Exception], code: str
    ) -> None:
        with pytest.raises(error):
            hall.arrive("c1", picture, kiosk="door 1")

        assert declined(hall) == [(code, "c1")]
        assert attempts(hall) == 0

    @pytest.mark.parametrize(
        ("picture", "reasons"),
        [("dark", ["under_exposed", "low_sharpness"]), ("nobody", ["face_not_found"])],
    )
    def test_is_referred_to_a_person_when_no_better_one_will_come(
        self, hall: ExamDay, picture: str, reasons: list[str]
    ) -> None:
        result = hall.arrive("c1", picture, final=True)

        checkin = result.checkin
        assert (checkin.outcome, checkin.decision, checkin.reasons) == ("referred", None, reasons)
        assert (checkin.external_id, checkin.seat, checkin.attempt) == ("c1", "A", 1)
        assert (checkin.d, checkin.template_id, checkin.conflicts) == (None, None, [])
        assert declined(hall) == []

    def test_is_kept_with_what_was_measured(self, hall: ExamDay) -> None:
        quality = hall.arrive("c1", "dark", final=True).checkin.probe_quality

        assert quality is not None
        assert (quality.acceptable, quality.measures["luminance"]) == (False, 0.02)

    def test_takes_no_attempt_away_from_anybody(self, hall: ExamDay) -> None:
        made = [hall.arrive("c1", "dark", final=True).attempts_made for _ in range(5)]

        result = hall.arrive("c1", "1")

        assert made == [0] * 5
        assert (result.checkin.outcome, result.attempts_made, result.checkin.attempt) == ("admitted", 1, 6)

    def test_of_nobody_in_particular_is_referred_too(self, hall: ExamDay) -> None:
        checkin = hall.arrive(None, "nobody", final=True).checkin

        assert (checkin.outcome, checkin.mode, checkin.external_id) == ("referred", "search", None)

    def test_can_be_settled_by_a_person(self, hall: ExamDay) -> None:
        checkin = hall.arrive("c1", "dark", final=True).checkin
        terms = OverrideTerms.model_validate({"outcome": "admitted", "reason_code": "document_checked"})

        override(hall.desk, checkin.id, terms, ORIGIN)

        with pytest.raises(AlreadyCheckedIn):
            hall.arrive("c1", "1")

    def test_lets_nobody_try_again_whose_case_is_settled(self, hall: ExamDay) -> None:
        hall.arrive("c1", "1")

        with pytest.raises(AlreadyCheckedIn):
            hall.arrive("c1", "dark", final=True)

    def test_is_recorded_once_when_it_is_sent_again(self, hall: ExamDay) -> None:
        checkin_id = uuid7()

        first = hall.arrive("c1", "dark", final=True, checkin_id=checkin_id)

        assert hall.arrive("c1", "dark", final=True, checkin_id=checkin_id) == first

    def test_comes_too_late_when_the_door_has_closed_meanwhile(self, hall: ExamDay) -> None:
        closing = SessionChanges(opens_at=hours_from_now(-2), closes_at=hours_from_now(-1), reason="the test")
        hall.embedder.waits = lambda: change_session(hall.desk, hall.session.id, closing, ORIGIN)

        with pytest.raises(SessionClosed):
            hall.arrive("c1", "dark", final=True)


def declined(hall: ExamDay) -> list[tuple[str, str | None]]:
    """Who was turned away without an attempt, and why."""
    with hall.desk.database.read() as db:
        events = audit.list_events(db, limit=100, action="checkin.declined")
        entries = [db.get(RosterEntryRow, UUID(one.details["entry_id"])) for one in events]
        return [
            (one.details["code"], entry.external_id if entry else None)
            for one, entry in zip(events, entries, strict=True)
        ]


def attempts(hall: ExamDay) -> int:
    with hall.desk.database.read() as db:
        return db.scalar(select(func.count()).select_from(CheckinRow)) or 0


def test_who_claims_nobody_is_looked_for_only_where_the_exam_says_so(
    database: Database, open_exam_day: Callable[..., ExamDay]
) -> None:
    day = open_exam_day(database, identification=False)
    day.enrol("c1", "1")
    day.roster("c1,Ann,A")

    with pytest.raises(CandidateRequired):
        day.arrive(None, "1")
    assert day.embedder.looked_at == []
    change_exam(day.desk, day.exam.id, ExamChanges(identification=True), ORIGIN)

    assert day.arrive(None, "1").checkin.external_id == "c1"


class TestOneFaceForTwoCandidates:
    def test_who_comes_again_under_another_name_is_referred_with_both_names(self, hall: ExamDay) -> None:
        hall.arrive("c1", "1")

        checkin = hall.arrive("c2", "1@10").checkin

        assert (checkin.outcome, checkin.decision) == ("referred", "no_match")
        other = checkin.conflicts[0]
        assert (other.external_id, other.display_name, other.seat) == ("c1", "Ann", "A")
        assert checkin.conflicts[0].checked_in_at is not None
        assert checkin.reasons == ["same_face_as_admitted", "nearer_to_other_candidate"]

    def test_who_is_enrolled_under_two_names_is_let_in_under_one(self, hall: ExamDay) -> None:
        hall.enrol("c4", "1@5")
        hall.roster("c4,Dan,D", mode="merge")
        first = hall.arrive("c1", "1").checkin

        second = hall.arrive("c4", "1@5").checkin

        assert first.outcome == "admitted"
        assert (second.outcome, second.decision) == ("referred", "match")
        assert second.reasons == ["same_face_as_admitted"]
        assert (second.display_name, second.conflicts[0].display_name) == ("Dan", "Ann")

    def test_the_other_room_of_the_exam_is_seen_too(self, hall: ExamDay) -> None:
        other = hall.another_session()
        hall.enrol("c4", "1@5")
        hall.roster_of(other.id, "c4,Dan,D")
        hall.arrive("c1", "1")

        checkin = hall.arrive("c4", "1@5", session_id=other.id).checkin

        assert checkin.outcome == "referred"
        assert checkin.conflicts[0].session_id == hall.session.id

    def test_who_agreed_to_show_a_document_is_compared_with_nobodys_photograph(self, hall: ExamDay) -> None:
        hall.enrol("c4", "1@5")
        hall.roster(
            "c4,Dan,D,yes", header="external_id,display_name,seat,manual_identification", mode="merge"
        )

        checkin = hall.arrive("c1", "1").checkin

        assert (checkin.outcome, checkin.conflicts) == ("admitted", [])

    def test_who_is_expected_in_two_sessions_counts_once_among_the_people_compared(
        self, hall: ExamDay
    ) -> None:
        hall.roster_of(hall.another_session().id, "c1,Ann,A", "c2,Ben,B")

        with hall.desk.database.read() as db:
            people, count = comparing.people_of(db, hall.exam.id)

        assert (people, count) == (set(hall.subjects.values()), 3)

    def test_two_names_at_two_kiosks_in_the_same_moment_are_let_in_once(self, hall: ExamDay) -> None:
        hall.enrol("c4", "1@5")
        hall.roster("c4,Dan,D", mode="merge")
        hall.embedder.waits = Barrier(2, timeout=30).wait

        with ThreadPoolExecutor(2) as kiosks:
            results: list[Result] = list(kiosks.map(lambda who: hall.arrive(who, "1@2"), ["c1", "c4"]))

        assert sorted(str(one.checkin.outcome) for one in results) == ["admitted", "referred"]


class TestTwoRostersWithOneCandidate:
    def test_let_the_candidate_in_once_and_say_where(self, hall: ExamDay) -> None:
        other = hall.another_session()
        hall.roster_of(other.id, "c1,Ann,Z")
        first = hall.arrive("c1", "1").checkin

        second = hall.arrive("c1", "1", session_id=other.id).checkin

        assert first.outcome == "admitted"
        assert (second.outcome, second.decision, second.reasons) == (
            "referred",
            "match",
            ["admitted_elsewhere"],
        )
        where = second.conflicts[0]
        assert (where.external_id, where.session_id, where.room) == ("c1", hall.session.id, "R1")
        assert where.checked_in_at is not None

    def test_let_the_candidate_in_once_at_two_doors_in_the_same_moment(self, hall: ExamDay) -> None:
        other = hall.another_session()
        hall.roster_of(other.id, "c1,Ann,Z")
        hall.embedder.waits = Barrier(2, timeout=30).wait

        with ThreadPoolExecutor(2) as kiosks:
            rooms = [hall.session.id, other.id]
            results = list(kiosks.map(lambda room: hall.arrive("c1", "1", session_id=room), rooms))

        assert sorted(str(one.checkin.outcome) for one in results) == ["admitted", "referred"]

    def test_of_two_exams_at_the_same_time_let_the_candidate_in_once(self, hall: ExamDay) -> None:
        other = another_exam(hall, starts=-1, ends=2, opens=-1, closes=1)
        hall.arrive("c1", "1")

        assert hall.arrive("c1", "1", session_id=other).checkin.reasons == ["admitted_elsewhere"]

    @pytest.mark.parametrize(
        ("starts", "ends", "opens"),
        [(2, 4, -0.5), (-1, 2, 1)],
        ids=["doors that open before the first exam ends", "another session later on the day"],
    )
    def test_one_after_the_other_are_both_sat(
        self, hall: ExamDay, starts: float, ends: float, opens: float
    ) -> None:
        hall.arrive("c1", "1")
        other = another_exam(hall, starts=starts, ends=ends, opens=opens, closes=4)
        if opens > 0:
            # Time goes by: the first session has closed, the second has opened.
            closing = SessionChanges(
                opens_at=hours_from_now(-3), closes_at=hours_from_now(-2), reason="the test"
            )
            change_session(hall.desk, hall.session.id, closing, ORIGIN)
            change_session(
                hall.desk, other, SessionChanges(opens_at=hours_from_now(-1), reason="the test"), ORIGIN
            )

        assert hall.arrive("c1", "1", session_id=other).checkin.outcome == "admitted"

    def test_know_the_candidate_whose_number_has_changed(self, hall: ExamDay) -> None:
        other = hall.another_session()
        hall.arrive("c1", "1")
        Subjects(hall.desk.database).change(hall.subjects["c1"], external_id="c1-new", actor="test")
        hall.roster_of(other.id, "c1-new,Ann,Z")

        assert hall.arrive("c1-new", "1", session_id=other.id).checkin.reasons == ["admitted_elsewhere"]

    def test_let_nobody_into_two_rooms_of_one_exam_by_a_person_either(self, hall: ExamDay) -> None:
        other = hall.another_session()
        hall.roster_of(other.id, "c1,Ann,Z")
        first = hall.arrive("c1", "1").checkin
        second = hall.arrive("c1", "1", session_id=other.id).checkin
        document = IdentificationTerms.model_validate({"candidate": "c1", "document_type": "passport"})
        admit = OverrideTerms.model_validate({"outcome": "admitted", "reason_code": "document_checked"})
        refuse = OverrideTerms.model_validate(
            {"outcome": "refused", "reason_code": "impersonation_suspected"}
        )

        with pytest.raises(AlreadyCheckedIn) as refused:
            override(hall.desk, second.id, admit, ORIGIN)
        with pytest.raises(AlreadyCheckedIn):
            identify(hall.desk, other.id, document, ORIGIN)
        assert (refused.value.members["room"], refused.value.members["seat"]) == ("R1", "A")
        override(hall.desk, first.id, refuse, ORIGIN)

        assert override(hall.desk, second.id, admit, ORIGIN)[1].effective_outcome == "admitted"

    def test_let_the_candidate_into_one_exam_once_though_its_rooms_open_one_after_the_other(
        self, hall: ExamDay
    ) -> None:
        first = hall.arrive("c1", "1").checkin
        earlier = SessionChanges(opens_at=hours_from_now(-3), closes_at=hours_from_now(-2), reason="the test")
        change_session(hall.desk, hall.session.id, earlier, ORIGIN)
        other = hall.another_session(opens_at=hours_from_now(-1))
        hall.roster_of(other.id, "c1,Ann,Z")
        document = IdentificationTerms.model_validate({"candidate": "c1", "document_type": "passport"})

        second = hall.arrive("c1", "1", session_id=other.id).checkin

        assert (first.outcome, second.outcome, second.reasons) == (
            "admitted",
            "referred",
            ["admitted_elsewhere"],
        )
        with pytest.raises(AlreadyCheckedIn):
            identify(hall.desk, other.id, document, ORIGIN)

    def test_let_one_person_under_two_numbers_of_one_roster_in_once(self, hall: ExamDay) -> None:
        Subjects(hall.desk.database).change(hall.subjects["c1"], external_id="c1-new", actor="test")
        hall.roster("c1-new,Ann,Z", mode="merge")
        hall.arrive("c1", "1")

        second = hall.arrive("c1-new", "1").checkin

        assert (second.outcome, second.reasons) == ("referred", ["admitted_elsewhere"])

    def test_let_nobody_into_two_rooms_of_one_exam_who_is_in_another_exam_too(self, hall: ExamDay) -> None:
        another = another_exam(hall, starts=-1, ends=2, opens=-1, closes=1)
        other = hall.another_session()
        hall.roster_of(other.id, "c1,Ann,Z")
        document = IdentificationTerms.model_validate({"candidate": "c1", "document_type": "passport"})
        identify(hall.desk, another, document, ORIGIN)
        identify(hall.desk, hall.session.id, document, ORIGIN)

        with pytest.raises(AlreadyCheckedIn):
            identify(hall.desk, other.id, document, ORIGIN)

    def test_let_a_person_decide_whether_two_exams_go_together(self, hall: ExamDay) -> None:
        other = another_exam(hall, starts=-1, ends=2, opens=-1, closes=1)
        hall.arrive("c1", "1")
        referred = hall.arrive("c1", "1", session_id=other).checkin
        admit = OverrideTerms.model_validate({"outcome": "admitted", "reason_code": "known_to_invigilator"})

        assert override(hall.desk, referred.id, admit, ORIGIN)[1].effective_outcome == "admitted"


def another_exam(hall: ExamDay, *, starts: float, ends: float, opens: float, closes: float) -> UUID:
    """A session of another exam with c1 on its roster; times in hours from now."""
    terms = ExamTerms(name="Physics", starts_at=hours_from_now(starts), ends_at=hours_from_now(ends))
    exam = create_exam(hall.desk, terms, ORIGIN)
    window = SessionTerms(room="R9", opens_at=hours_from_now(opens), closes_at=hours_from_now(closes))
    session = create_session(hall.desk, exam.id, window, ORIGIN)
    hall.roster_of(session.id, "c1,Ann,Q")
    return session.id


class TestATwin:
    def test_on_the_roster_is_let_in_by_a_person_alone(self, hall: ExamDay) -> None:
        hall.roster("c1,Ann,A,yes", header="external_id,display_name,seat,twin", mode="merge")

        claimed, searched = hall.arrive("c1", "1").checkin, hall.arrive(None, "1").checkin

        assert (claimed.outcome, claimed.decision, claimed.reasons) == ("referred", "match", ["twin"])
        assert (searched.outcome, searched.external_id, searched.reasons) == ("referred", "c1", ["twin"])

    def test_who_was_enrolled_in_spite_of_the_other_is_let_in_by_a_person_alone(self, hall: ExamDay) -> None:
        for number, picture in (("c4", "4"), ("elsewhere", "4@5")):
            hall.enrol(number)
            hall.desk.gallery.enrol(
                hall.subjects[number],
                made_face(picture),
                quality={},
                duplicate_threshold=0.4,
                actor="test",
                force_reason="twin sisters",
            )
        hall.roster("c4,Dan,D", mode="merge")

        checkin = hall.arrive("c4", "4").checkin

        assert (checkin.outcome, checkin.reasons) == ("referred", ["twin"])
        with hall.desk.database.read() as db:
            (candidate,) = [one for one in candidates_page(db, hall.session.id) if one.external_id == "c4"]
        assert candidate.flags.twin
        found = readiness(hall.desk, hall.session.id)
        assert [(one.external_id, one.reason, one.detail) for one in found.cannot_verify] == [
            ("c4", "twin", "elsewhere: twin sisters")
        ]

    def test_of_somebody_erased_is_nobodys_twin(self, hall: ExamDay) -> None:
        with hall.desk.database.write() as db:
            note_twins(db, hall.subjects["c1"], [hall.subjects["c3"]], uuid7(), "twins")
        hall.desk.gallery.erase(hall.subjects["c3"], actor="test")

        assert hall.arrive("c1", "1").checkin.outcome == "admitted"


class TestASearchOfTheRoster:
    def test_the_face_finds_the_candidate(self, hall: ExamDay) -> None:
        checkin = hall.arrive(None, "2@10").checkin

        assert (checkin.outcome, checkin.mode, checkin.external_id) == ("admitted", "search", "c2")

    def test_a_stranger_is_referred_and_not_named(self, hall: ExamDay) -> None:
        checkin = hall.arrive(None, "9").checkin

        assert (checkin.outcome, checkin.decision) == ("referred", "no_match")
        assert (checkin.external_id, checkin.subject_id, checkin.template_id) == (None, None, None)
        assert checkin.reasons == ["no_candidate_found"]

    def test_strangers_are_looked_for_until_somebody_has_to_decide(self, hall: ExamDay) -> None:
        referred = [hall.arrive(None, "9").checkin for _ in range(MOST_UNDECIDED_SEARCHES)]

        with pytest.raises(AttemptsExhausted):
            hall.arrive(None, "1")
        claimed = hall.arrive("c1", "1").checkin
        refuse = OverrideTerms.model_validate(
            {"outcome": "refused", "reason_code": "impersonation_suspected"}
        )
        override(hall.desk, referred[0].id, refuse, ORIGIN)

        assert (claimed.outcome, hall.arrive(None, "2").checkin.outcome) == ("admitted", "admitted")

    def test_among_three_candidates_each_comparison_has_a_third_of_the_rate(self, hall: ExamDay) -> None:
        # 50° is d = 0.714: a match for whoever claims to be c1, not for whoever might be any of three.
        searched = hall.arrive(None, "1@50").checkin
        claimed = hall.arrive("c1", "1@50").checkin

        assert (searched.outcome, claimed.outcome) == ("referred", "admitted")
        assert searched.fmr is not None
        assert searched.fmr.match == pytest.approx(1e-4 / 3)

    def test_two_who_would_both_match_are_told_apart_by_a_person(self, hall: ExamDay) -> None:
        hall.enrol("c4", "1@8")
        hall.roster("c4,Dan,D", mode="merge")

        checkin = hall.arrive(None, "1@4").checkin

        assert (checkin.outcome, checkin.reasons) == ("referred", ["ambiguous_search"])

    def test_a_face_outside_a_large_exam_makes_nothing_ambiguous(
        self, hall: ExamDay, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(comparing, "SEARCHED_ALONE", 0)
        hall.enrol("elsewhere", "1+5@20")

        checkin = hall.arrive(None, "1").checkin

        assert (checkin.outcome, checkin.external_id, checkin.reasons) == ("admitted", "c1", [])

    def test_who_is_not_on_the_roster_is_not_found(self, hall: ExamDay) -> None:
        hall.enrol("elsewhere", "5")

        assert hall.arrive(None, "5").checkin.external_id is None

    def test_an_empty_roster_has_nothing_to_compare(self, exam_day: ExamDay) -> None:
        with pytest.raises(NothingToCompare, match="Nobody on the roster"):
            exam_day.arrive(None, "1")

    def test_who_is_found_twice_is_let_in_once(self, hall: ExamDay) -> None:
        hall.arrive(None, "2")

        with pytest.raises(AlreadyCheckedIn):
            hall.arrive(None, "2")


class TestSeats:
    def test_the_roster_says_the_seat_and_another_one_is_only_noted(self, hall: ExamDay) -> None:
        checkin = hall.arrive("c1", "1", seat="Z").checkin

        assert (checkin.outcome, checkin.seat, checkin.reasons) == ("admitted", "A", ["seat_differs"])

    def test_without_a_seat_on_the_roster_a_free_one_is_given_once(self, hall: ExamDay) -> None:
        hall.roster("c1,Ann,", "c2,Ben,", mode="merge")

        first = hall.arrive("c1", "1", seat="9").checkin
        second = hall.arrive("c2", "2", seat="9").checkin

        assert (first.seat, first.reasons) == ("9", [])
        assert (second.seat, second.reasons, second.outcome) == (None, ["seat_taken"], "admitted")

    def test_a_seat_that_is_reserved_for_somebody_else_is_not_given_before_they_come(
        self, hall: ExamDay
    ) -> None:
        hall.roster("c2,Ben,", mode="merge")

        early = hall.arrive("c2", "2", seat="A").checkin
        owner = hall.arrive("c1", "1").checkin

        assert (early.outcome, early.seat, early.reasons) == ("admitted", None, ["seat_taken"])
        assert (owner.outcome, owner.seat, owner.reasons) == ("admitted", "A", [])

    def test_a_seat_that_a_new_roster_gives_away_keeps_nobody_out(self, hall: ExamDay) -> None:
        hall.arrive("c1", "1")
        hall.roster("c1,Ann,B", "c2,Ben,A", mode="merge")

        checkin = hall.arrive("c2", "2").checkin

        assert (checkin.outcome, checkin.seat, checkin.reasons) == ("admitted", None, ["seat_taken"])


def test_whoever_is_turned_away_is_noted_without_a_name(hall: ExamDay) -> None:
    hall.arrive("c1", "1")
    with pytest.raises(AlreadyCheckedIn):
        hall.arrive("c1", "1", kiosk="door 1")

    with hall.desk.database.read() as db:
        events = audit.list_events(db, limit=100, action="checkin.declined")
    assert [event.details["code"] for event in events] == ["already_checked_in"]
    assert "Ann" not in str(events[0].details)
    assert "'c1'" not in str(events[0].details)


def test_a_failed_write_lets_nobody_in_and_the_attempt_can_be_repeated(hall: ExamDay) -> None:
    def fail(connection: Any, *_: object) -> None:
        raise RuntimeError("cut off")

    from sqlalchemy import event

    event.listen(hall.desk.database.engine, "commit", fail)
    with pytest.raises(RuntimeError, match="cut off"):
        hall.arrive("c1", "1")
    event.remove(hall.desk.database.engine, "commit", fail)

    assert hall.arrive("c1", "1").checkin.outcome == "admitted"


def test_one_face_under_two_numbers_in_two_exams_of_a_day_is_referred_with_both(exam_day: ExamDay) -> None:
    exam_day.enrol("morning", "1")
    exam_day.enrol("afternoon", "1@20")
    exam_day.roster("morning,Ana,A1")
    exam_day.arrive("morning", "1")
    later = exam_of_the_day(exam_day)
    exam_day.roster_of(later, "afternoon,Bea,B1")

    checkin = exam_day.arrive("afternoon", "1@20", session_id=later).checkin

    assert (checkin.outcome, checkin.decision) == ("referred", "match")
    assert checkin.reasons == ["same_face_as_admitted"]
    assert [(one.external_id, one.room) for one in checkin.conflicts] == [("morning", "R1")]


def test_who_was_let_in_to_another_exam_today_is_known_with_room_and_time_and_who_came_days_ago_is_not(
    exam_day: ExamDay,
) -> None:
    exam_day.enrol("both", "1")
    exam_day.enrol("later", "2")
    exam_day.roster("both,Ana,A1")
    morning = exam_day.arrive("both", "1").checkin
    other = exam_of_the_day(exam_day)
    exam_day.roster_of(other, "both,Ana,B1", "later,Lea,B2")

    (known,) = read_let_in_today(exam_day.desk, other)

    assert (known.external_id, known.exam, known.room, known.seat) == ("both", "Mathematics", "R1", "B1")
    assert (known.outcome, known.at >= morning.created_at) == ("admitted", True)
    assert read_let_in_today(exam_day.desk, other, "later") == []
    assert read_let_in_today(exam_day.desk, other, only=[]) == []
    assert read_let_in_today(exam_day.desk, exam_day.session.id) == []
    with exam_day.desk.database.write() as db:
        (admission,) = db.scalars(select(AdmissionRow))
        admission.at = hours_from_now(-30)
    assert read_let_in_today(exam_day.desk, other) == []


def test_whoever_was_only_expected_in_another_exam_or_came_days_ago_stands_in_nobodys_way(
    exam_day: ExamDay,
) -> None:
    exam_day.enrol("morning", "1")
    exam_day.enrol("absent", "1@10")
    exam_day.enrol("afternoon", "1@20")
    exam_day.roster("morning,Ana,A1", "absent,Abe,A2")
    exam_day.arrive("morning", "1")
    with exam_day.desk.database.write() as db:
        former = db.get_one(SessionRow, exam_day.session.id)
        former.opens_at, former.closes_at = hours_from_now(-72), hours_from_now(-70)
    later = exam_of_the_day(exam_day)
    exam_day.roster_of(later, "afternoon,Bea,B1")

    assert exam_day.arrive("afternoon", "1@20", session_id=later).checkin.outcome == "admitted"


def exam_of_the_day(exam_day: ExamDay) -> UUID:
    """An open session of another exam of the same day."""
    exam_terms = ExamTerms(name="Physics", starts_at=hours_from_now(-1), ends_at=hours_from_now(2))
    exam = create_exam(exam_day.desk, exam_terms, ORIGIN)
    terms = SessionTerms(room="R9", opens_at=hours_from_now(-1), closes_at=hours_from_now(1))
    return create_session(exam_day.desk, exam.id, terms, ORIGIN).id
