"""Pictures for whoever decides on a case: sealed, gone with the decision, or never there."""

from collections.abc import Callable
from uuid import UUID

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now

from index import audit
from index.database.database import Database
from index.sealing.cipher import TemplateCipher
from index.subjects.portraits import Portraits
from service.exams.checkin.document import IdentificationTerms, identify
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.photograph import find_checkin
from service.exams.checkin.thumbnails import open_enrolment, open_thumbnail
from service.exams.errors import AttemptsExhausted, ExamInvalid, ReasonRequired, ThumbnailNotFound
from service.exams.evidence.sweeping import sweep
from service.exams.roster.changing import CandidateChanges, change_candidate
from service.exams.sessions import change_session
from service.exams.tables import ThumbnailRow
from service.exams.terms import SessionChanges

Open = Callable[..., ExamDay]


@pytest.fixture
def start(database: Database, open_exam_day: Open) -> Open:
    """An exam day with a key for pictures, and two enrolled candidates."""

    def started(**terms: object) -> ExamDay:
        hall = open_exam_day(database, cipher=TemplateCipher(bytes(range(32))), **terms)
        for number in (1, 2):
            hall.enrol(f"c{number}", str(number))
        hall.roster("c1,Ann,A", "c2,Ben,B")
        return hall

    return started


def refer(hall: ExamDay, picture: bytes) -> UUID:
    return hall.arrive("c1", "9", photograph=picture).checkin.id


def has_picture(hall: ExamDay, checkin_id: UUID) -> bool:
    shown = find_checkin(hall.desk, checkin_id).has_thumbnail
    with hall.desk.database.read() as db:
        kept = db.get(ThumbnailRow, checkin_id) is not None
    assert kept or not shown
    return shown


def decide(hall: ExamDay, checkin_id: UUID, outcome: str) -> None:
    terms = OverrideTerms.model_validate({"outcome": outcome, "reason_code": "document_checked"})
    override(hall.desk, checkin_id, terms, ORIGIN)


def close(hall: ExamDay, hours_ago: float) -> None:
    window = {"opens_at": hours_from_now(-100), "closes_at": hours_from_now(-hours_ago)}
    changes = SessionChanges.model_validate({**window, "reason": "typed the wrong day"})
    change_session(hall.desk, hall.session.id, changes, ORIGIN)


def test_a_referred_attempt_has_a_picture_until_it_is_decided(start: Open, astronaut_jpeg: bytes) -> None:
    hall = start()
    case = refer(hall, astronaut_jpeg)
    assert open_thumbnail(hall.desk, case, ORIGIN).startswith(b"\xff\xd8")

    decide(hall, case, "refused")

    assert not has_picture(hall, case)
    with pytest.raises(ThumbnailNotFound):
        open_thumbnail(hall.desk, case, ORIGIN)


def test_whoever_is_admitted_by_the_machine_has_no_picture(start: Open, astronaut_jpeg: bytes) -> None:
    hall = start()

    admitted = hall.arrive("c2", "2", photograph=astronaut_jpeg).checkin

    assert (admitted.outcome, has_picture(hall, admitted.id)) == ("admitted", False)


def test_pictures_of_every_attempt_go_with_a_document_or_a_better_photograph(
    start: Open, astronaut_jpeg: bytes
) -> None:
    hall = start()
    cases = [refer(hall, astronaut_jpeg), refer(hall, astronaut_jpeg)]
    other = hall.arrive("c2", "9", photograph=astronaut_jpeg).checkin.id
    assert all(has_picture(hall, one) for one in (*cases, other))

    hall.arrive("c1", "1", photograph=astronaut_jpeg)
    assert [has_picture(hall, one) for one in (*cases, other)] == [False, False, True]
    document = IdentificationTerms.model_validate({"candidate": "c2", "document_type": "passport"})
    identify(hall.desk, hall.session.id, document, ORIGIN)

    assert not has_picture(hall, other)


def test_a_picture_of_a_case_that_nobody_decides_goes_72_hours_after_the_session(
    start: Open, astronaut_jpeg: bytes
) -> None:
    hall = start()
    case = refer(hall, astronaut_jpeg)

    close(hall, hours_ago=71)
    sweep(hall.desk.database, ORIGIN)
    assert has_picture(hall, case)
    close(hall, hours_ago=73)
    swept = sweep(hall.desk.database, ORIGIN)

    assert swept.thumbnails == 1
    with hall.desk.database.read() as db:
        assert db.get(ThumbnailRow, case) is None


def test_a_session_that_closes_sooner_lets_its_pictures_go_sooner(start: Open, astronaut_jpeg: bytes) -> None:
    hall = start()
    case = refer(hall, astronaut_jpeg)

    close(hall, hours_ago=80)

    assert not has_picture(hall, case)
    with pytest.raises(ThumbnailNotFound):
        open_thumbnail(hall.desk, case, ORIGIN)


@pytest.mark.parametrize(("policy", "kept"), [("never", False), ("appeals", True)])
def test_an_exam_says_whether_pictures_of_cases_are_kept(
    start: Open, astronaut_jpeg: bytes, policy: str, kept: bool
) -> None:
    hall = start(case_pictures=policy)
    case = refer(hall, astronaut_jpeg)

    assert has_picture(hall, case) is kept
    decide(hall, case, "admitted")

    assert has_picture(hall, case) is kept


def test_without_a_key_no_picture_is_kept_and_keeping_them_is_refused(
    database: Database, open_exam_day: Open, astronaut_jpeg: bytes
) -> None:
    hall = open_exam_day(database)
    hall.enrol("c1", "1")
    hall.roster("c1,Ann,A")

    assert not has_picture(hall, refer(hall, astronaut_jpeg))
    with pytest.raises(ExamInvalid):
        open_exam_day(database, case_pictures="appeals")


def test_a_case_says_in_which_band_it_lies(start: Open) -> None:
    hall = start()

    near = hall.arrive("c1", "1@60").checkin
    far = hall.arrive("c2", "9").checkin

    assert (near.why, far.why) == (["below_match"], ["above_refer"])
    assert hall.arrive("c2", "2").checkin.why == []


def test_a_person_allows_another_attempt_with_a_reason(start: Open) -> None:
    hall = start(attempts_allowed=1)
    hall.arrive("c1", "9")
    with pytest.raises(AttemptsExhausted):
        hall.arrive("c1", "1")
    with pytest.raises(ReasonRequired):
        change_candidate(hall.desk, hall.session.id, "c1", CandidateChanges(extra_attempts=1), ORIGIN)

    allowed = CandidateChanges(extra_attempts=1, reason="the lamp was off")
    candidate = change_candidate(hall.desk, hall.session.id, "c1", allowed, ORIGIN)

    assert (candidate.attempts, candidate.attempts_allowed) == (1, 2)
    assert hall.arrive("c1", "1").checkin.outcome == "admitted"


def test_a_case_shows_the_portrait_of_the_office_where_no_crop_is_kept(
    start: Open, astronaut_jpeg: bytes
) -> None:
    hall = start()
    case = refer(hall, astronaut_jpeg)
    before = find_checkin(hall.desk, case).has_enrolment_picture

    Portraits(hall.desk.database, hall.desk.cipher).put(hall.subjects["c1"], astronaut_jpeg, actor="test")

    assert (before, find_checkin(hall.desk, case).has_enrolment_picture) == (False, True)
    assert open_enrolment(hall.desk, case, ORIGIN) == astronaut_jpeg
    with hall.desk.database.read() as db:
        assert len(audit.list_events(db, limit=5, action="portrait.viewed")) == 1
