"""What kiosks took without network: compared and recorded once; nobody is lost, and nobody counted twice."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now
from sqlalchemy import select

from index.audit import Origin
from index.database.database import Database
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects
from service.access.callers import Caller
from service.access.keys import Deliverer
from service.access.scopes import Scope
from service.exams.archive import remove_exam
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.photograph import checkins_page
from service.exams.errors import (
    ExamArchived,
    QueueOfAnotherSession,
    QueueUnreadable,
    TakenAfterEnd,
)
from service.exams.evidence.attendance import room_of
from service.exams.evidence.csv_report import report_csv
from service.exams.evidence.verifying import verify_evidence
from service.exams.live.waiting import waiting_list
from service.exams.offline.delivering import Delivered, deliver
from service.exams.offline.pack import build_pack
from service.exams.offline.sealing import purge_queue_keys, seal_item
from service.exams.schemas import Candidate, Checkin, Verdict
from service.exams.sessions import change_session
from service.exams.status import candidates_page, counts_of
from service.exams.tables import QueueKeyRow, SessionRow
from service.exams.terms import SessionChanges

KEY = bytes(range(32))


@dataclass
class Tablet:
    """A kiosk without network, with what it took."""

    day: ExamDay
    name: str = "Door 1"
    ended_at: datetime | None = None
    is_revoked: bool = False
    id: UUID = field(default_factory=uuid4)

    @property
    def by(self) -> Deliverer:
        """The kiosk, by its key."""
        caller = Caller(self.id, self.name, frozenset({Scope.CHECKIN}), self.day.session.id, b"")
        return Deliverer(caller, self.ended_at, self.is_revoked)

    @property
    def origin(self) -> Origin:
        """In whose name it delivers."""
        return Origin(self.by.caller.actor, "request-1")

    def take(
        self, candidate: str, picture: str, *, minutes_ago: float = 10, **facts: Any
    ) -> tuple[str, bytes]:
        """An item: somebody whom the tablet let in, so many minutes ago."""
        item = uuid4().hex
        said = {
            "candidate": candidate,
            "contact_at": (datetime.now(UTC) - timedelta(minutes=minutes_ago + 5)).isoformat(),
            "since_contact_ms": 300_000,
            "client_time": datetime.now(UTC).isoformat(),
            "provisional": True,
            **facts,
        }
        return item, self.seal(item, json.dumps(said).encode(), b"#" + picture.encode())

    def seal(self, item: str, facts: bytes, picture: bytes) -> bytes:
        """As the page seals."""
        text = build_pack(self.day.desk, self.day.session.id).public_key
        assert text is not None
        return seal_item(key_of(text), self.day.session.id, item, facts, picture)

    def deliver(self, item: tuple[str, bytes]) -> Delivered:
        """Deliver one item."""
        return deliver(self.day.desk, self.day.session.id, *item, self.by, self.origin)


def key_of(text: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture
def open_hall(
    open_database: Callable[[str], Database], open_exam_day: Callable[..., ExamDay]
) -> Callable[[str], ExamDay]:
    """Open a room on a database: Ana and Ben are enrolled, Cy is not."""

    def opened(url: str) -> ExamDay:
        database = open_database(url)
        database.upgrade()
        return filled(open_exam_day(database, cipher=TemplateCipher(KEY), identification=False))

    return opened


@pytest.fixture
def hall(sqlite_url: str, open_hall: Callable[[str], ExamDay]) -> ExamDay:
    return open_hall(sqlite_url)


def filled(day: ExamDay) -> ExamDay:
    day.enrol("c1", "1")
    day.enrol("c2", "2")
    day.roster("c1,Ana,A1", "c2,Ben,A2", "c3,Cy,A3", create_subjects=True)
    return day


@pytest.fixture
def tablet(hall: ExamDay) -> Tablet:
    return Tablet(hall)


def checkins(hall: ExamDay) -> list[Checkin]:
    return checkins_page(hall.desk, hall.session.id, 100)


def candidate(hall: ExamDay, external_id: str) -> Candidate:
    with hall.desk.database.read() as db:
        return next(one for one in candidates_page(db, hall.session.id) if one.external_id == external_id)


def waits(hall: ExamDay) -> list[tuple[str | None, list[str]]]:
    items = waiting_list(hall.desk, hall.session.id).items
    return [(one.candidate.external_id if one.candidate else None, one.reasons) for one in items]


def test_who_matches_is_admitted_as_of_the_moment_of_the_picture(hall: ExamDay, tablet: Tablet) -> None:
    before = datetime.now(UTC) - timedelta(minutes=10)

    done = tablet.deliver(tablet.take("C1", "1"))

    (row,) = checkins(hall)
    assert (done.checkin_id, row.outcome, row.provisional, row.held) == (row.id, "admitted", True, False)
    assert row.taken_at is not None
    assert row.contact_at is not None
    assert row.taken_at == row.contact_at + timedelta(milliseconds=300_000)
    assert abs(row.taken_at - before) < timedelta(seconds=30)
    assert row.created_at > row.taken_at + timedelta(minutes=9)
    assert not row.time_estimated
    ana = candidate(hall, "c1")
    assert (ana.status, ana.status_at, ana.held) == ("admitted", row.taken_at, False)
    assert waits(hall) == []


def test_who_does_not_match_is_held_and_first_on_the_board(hall: ExamDay, tablet: Tablet) -> None:
    hall.arrive("c1", "7")
    tablet.deliver(tablet.take("c2", "7", minutes_ago=0))

    assert waits(hall) == [("c2", ["above_refer"]), ("c1", ["above_refer"])]
    first = waiting_list(hall.desk, hall.session.id).items[0]
    ben = candidate(hall, "c2")
    assert (first.held, first.provisional) == (True, True)
    assert (ben.status, ben.held, ben.provisional) == ("referred", True, True)
    with hall.desk.database.read() as db:
        counts = counts_of(db, db.get_one(SessionRow, hall.session.id))
    assert (counts.referred, counts.held, counts.admitted) == (2, 1, 0)


def test_whoever_is_put_right_while_a_queue_is_compared_is_compared_as_who_they_are_now(
    hall: ExamDay, tablet: Tablet
) -> None:
    def put_right() -> None:
        subjects = Subjects(hall.desk.database)
        subjects.change(hall.subjects["c1"], external_id="c1-former", actor="test")
        subjects.change(hall.subjects["c2"], external_id="c1", actor="test")
        hall.roster("c1,Ana,A1", mode="merge")

    moves = iter([put_right])
    hall.embedder.waits = lambda: next(moves, lambda: None)()

    tablet.deliver(tablet.take("c1", "1"))

    (row,) = checkins(hall)
    assert (row.outcome, row.decision) == ("referred", "no_match")


def test_a_decision_ends_what_is_held(hall: ExamDay, tablet: Tablet) -> None:
    done = tablet.deliver(tablet.take("c2", "7"))

    override(
        hall.desk,
        done.checkin_id,
        OverrideTerms(outcome=Verdict.ADMITTED, reason_code="known_to_invigilator"),
        ORIGIN,
    )

    ben = candidate(hall, "c2")
    assert (ben.status, ben.held, ben.provisional) == ("admitted", False, False)
    assert waits(hall) == []


def test_an_item_that_comes_again_makes_no_second_attempt(hall: ExamDay, tablet: Tablet) -> None:
    item = tablet.take("c1", "1")

    first, again = tablet.deliver(item), tablet.deliver(item)

    assert first == again
    assert len(checkins(hall)) == 1


def test_let_in_by_two_tablets_is_one_admission_and_one_case(
    database_url: str, open_hall: Callable[[str], ExamDay]
) -> None:
    hall = open_hall(database_url)
    tablet, other = Tablet(hall), Tablet(hall, "Door 2")
    first, second = tablet.take("c1", "1"), other.take("c1", "1@10")

    tablet.deliver(first)
    other.deliver(second)

    assert [(one.kind, one.outcome) for one in checkins(hall)] == [
        ("repeat", "referred"),
        ("entry", "admitted"),
    ]
    assert candidate(hall, "c1").status == "admitted"
    assert waits(hall) == [("c1", ["let_in_twice"])]


@pytest.mark.parametrize("outcome", [Verdict.ADMITTED, Verdict.REFUSED])
def test_whatever_is_decided_on_the_second_the_first_admission_stays(
    hall: ExamDay, tablet: Tablet, outcome: Any
) -> None:
    tablet.deliver(tablet.take("c1", "1"))
    case = Tablet(hall, "Door 2").deliver(Tablet(hall, "Door 2").take("c1", "7"))

    override(hall.desk, case.checkin_id, OverrideTerms(outcome=outcome, reason_code="look_alike"), ORIGIN)

    assert candidate(hall, "c1").status == "admitted"
    assert waits(hall) == []


def test_two_strangers_under_one_number_are_one_case(hall: ExamDay, tablet: Tablet) -> None:
    tablet.deliver(tablet.take("c1", "7"))
    Tablet(hall, "Door 2").deliver(Tablet(hall, "Door 2").take("c1", "8"))

    assert waits(hall) == [("c1", ["above_refer"])]


def test_an_attempt_whose_answer_alone_was_lost_is_the_same(hall: ExamDay, tablet: Tablet) -> None:
    from service.exams.checkin.photograph import check_in
    from service.exams.checkin.rules import Arrival

    at = datetime.now(UTC).replace(microsecond=123_000)
    online = check_in(
        hall.desk, Arrival(hall.session.id, "c1", client_time=at), b"#1", tablet.origin, uuid4()
    )

    done = tablet.deliver(tablet.take("c1", "1", client_time=at.isoformat()))

    assert done.checkin_id == online.checkin.id
    assert len(checkins(hall)) == 1
    assert waits(hall) == []


def test_a_clock_that_is_wrong_by_hours_changes_nothing_and_is_recorded(
    hall: ExamDay, tablet: Tablet
) -> None:
    wrong = hours_from_now(-7)

    tablet.deliver(tablet.take("c1", "1", client_time=wrong.isoformat()))

    (row,) = checkins(hall)
    assert row.client_time == wrong
    assert row.taken_at is not None
    assert datetime.now(UTC) - row.taken_at < timedelta(minutes=11)
    assert row.clock_skew_s is not None
    assert abs(row.clock_skew_s + 7 * 3600 - 600) < 60


def test_after_a_reload_the_time_is_an_estimate(hall: ExamDay, tablet: Tablet) -> None:
    tablet.deliver(tablet.take("c1", "1", time_estimated=True))

    assert checkins(hall)[0].time_estimated


def test_a_moment_that_has_not_come_is_now_and_an_estimate(hall: ExamDay, tablet: Tablet) -> None:
    tablet.deliver(tablet.take("c1", "1", since_contact_ms=3_600_000))

    (row,) = checkins(hall)
    assert row.time_estimated
    assert row.taken_at is not None
    assert row.taken_at <= row.created_at


@pytest.mark.parametrize(
    ("number", "picture", "reasons"),
    [
        ("c9", "1", ["not_on_roster"]),
        ("c3", "1", ["no_template"]),
        ("c1", "dark", ["under_exposed", "low_sharpness"]),
        ("c1", "nobody", ["face_not_found"]),
    ],
)
def test_who_cannot_be_compared_is_not_lost(
    hall: ExamDay, tablet: Tablet, number: str, picture: str, reasons: list[str]
) -> None:
    tablet.deliver(tablet.take(number, picture))

    (row,) = checkins(hall)
    assert (row.outcome, row.external_id, row.reasons, row.held) == ("referred", number, reasons, True)
    assert len(waits(hall)) == 1


def test_who_shows_a_document_is_not_compared(hall: ExamDay, tablet: Tablet) -> None:
    item = tablet.take("c1", "1")
    hall.roster("c1,yes", header="external_id,manual_identification", mode="merge")

    tablet.deliver(item)

    assert hall.embedder.looked_at == []
    assert waits(hall) == [("c1", ["manual_identification_agreed"])]


def test_whom_a_person_has_refused_no_queue_lets_in(hall: ExamDay, tablet: Tablet) -> None:
    case = hall.arrive("c1", "7").checkin
    override(
        hall.desk,
        case.id,
        OverrideTerms(outcome=Verdict.REFUSED, reason_code="impersonation_suspected"),
        ORIGIN,
    )

    tablet.deliver(tablet.take("c1", "1"))

    assert candidate(hall, "c1").status == "refused"
    assert waits(hall) == [("c1", ["candidate_refused"])]


def test_what_a_revoked_kiosk_delivers_a_person_decides(hall: ExamDay, tablet: Tablet) -> None:
    item = tablet.take("c1", "1")
    tablet.ended_at, tablet.is_revoked = datetime.now(UTC), True

    tablet.deliver(item)

    assert [(one.outcome, one.reasons) for one in checkins(hall)] == [("referred", ["kiosk_revoked"])]


def test_what_was_taken_after_the_end_is_refused_and_said_once(hall: ExamDay, tablet: Tablet) -> None:
    item = tablet.take("c1", "1", minutes_ago=0)
    tablet.ended_at = datetime.now(UTC) - timedelta(minutes=5)

    for _ in range(2):
        with pytest.raises(TakenAfterEnd):
            tablet.deliver(item)

    assert checkins(hall) == []
    assert waits(hall) == [(None, ["taken_after_end"])]


def test_a_session_that_was_closed_meanwhile_takes_what_came_before(hall: ExamDay, tablet: Tablet) -> None:
    before, after = tablet.take("c1", "1", minutes_ago=10), tablet.take("c2", "2", minutes_ago=0)
    end = datetime.now(UTC) - timedelta(minutes=5)
    change_session(hall.desk, hall.session.id, SessionChanges(closes_at=end, reason="fire alarm"), ORIGIN)
    tablet.ended_at = end

    tablet.deliver(before)
    with pytest.raises(TakenAfterEnd):
        tablet.deliver(after)

    assert [(one.external_id, one.outcome) for one in checkins(hall)] == [("c1", "admitted")]


def test_a_session_that_was_extended_meanwhile_takes_what_came_in_the_longer_time(
    hall: ExamDay, tablet: Tablet
) -> None:
    close = datetime.now(UTC) - timedelta(seconds=1)
    change_session(hall.desk, hall.session.id, SessionChanges(closes_at=close, reason="test"), ORIGIN)
    change_session(
        hall.desk, hall.session.id, SessionChanges(closes_at=hours_from_now(1), reason="test"), ORIGIN
    )

    tablet.deliver(tablet.take("c1", "1", minutes_ago=0))

    assert checkins(hall)[0].outcome == "admitted"


def test_who_came_too_late_by_the_sessions_rule_is_referred(hall: ExamDay, tablet: Tablet) -> None:
    item = tablet.take("c1", "1")
    change_session(hall.desk, hall.session.id, SessionChanges(last_entry_minutes=5), ORIGIN)

    tablet.deliver(item)

    assert [(one.outcome, one.reasons) for one in checkins(hall)] == [("referred", ["entry_over"])]


def test_an_item_of_another_session_is_refused(hall: ExamDay, tablet: Tablet) -> None:
    item = tablet.take("c1", "1")
    other = hall.another_session()
    caller = Caller(tablet.id, "Door 1", frozenset({Scope.CHECKIN}), other.id, b"")

    with pytest.raises(QueueOfAnotherSession):
        deliver(hall.desk, other.id, *item, Deliverer(caller), tablet.origin)

    assert checkins(hall) == []


def test_an_item_that_was_changed_moved_or_made_up_does_not_open_and_stops_no_other(
    hall: ExamDay, tablet: Tablet
) -> None:
    item, sealed = tablet.take("c1", "1")
    bad = [
        (uuid4().hex, sealed),
        (item, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (uuid4().hex, b""),
        (uuid4().hex, sealed[:40]),
        (name := uuid4().hex, tablet.seal(name, b'{"candidate": "c1"}', b"#1")),
        (name := uuid4().hex, tablet.seal(name, b"[", b"#1")),
    ]

    for one in bad:
        with pytest.raises(QueueUnreadable):
            tablet.deliver(one)
    done = tablet.deliver(tablet.take("c1", "1"))

    assert done.outcome == "admitted"
    assert len(checkins(hall)) == 1


def test_an_archived_exam_takes_no_queue(hall: ExamDay, tablet: Tablet) -> None:
    hall.arrive("c2", "2")
    item = tablet.take("c1", "1")
    remove_exam(hall.desk, hall.exam.id, ORIGIN, "test")

    with pytest.raises(ExamArchived):
        tablet.deliver(item)


def test_the_pack_names_people_and_holds_nothing_of_their_faces(hall: ExamDay) -> None:
    hall.arrive("c2", "2")

    pack = build_pack(hall.desk, hall.session.id)

    told = [
        (one.external_id, one.display_name, one.seat, one.is_in, one.may_be_photographed)
        for one in pack.people
    ]
    assert told == [
        ("c1", "Ana", "A1", False, True),
        ("c2", "Ben", "A2", True, False),
        ("c3", "Cy", "A3", False, False),
    ]
    assert pack.rule == "provisional"
    assert set(pack.people[0].model_dump()) == {
        "external_id",
        "display_name",
        "seat",
        "numbers",
        "is_in",
        "may_be_photographed",
    }


def test_without_a_key_to_seal_with_nothing_is_taken_without_network(sqlite_exam_day: ExamDay) -> None:
    assert build_pack(sqlite_exam_day.desk, sqlite_exam_day.session.id).public_key is None


def test_an_exam_without_faces_gives_no_names_away(
    sqlite_exam_day: ExamDay, open_exam_day: Callable[..., ExamDay]
) -> None:
    day = open_exam_day(sqlite_exam_day.desk.database, cipher=TemplateCipher(KEY), faces="off")
    day.roster("c1,Ana,A1", create_subjects=True)

    pack = build_pack(day.desk, day.session.id)

    assert (pack.people, pack.public_key) == ([], None)


def test_a_pilot_lets_nobody_in_without_network(
    sqlite_exam_day: ExamDay, open_exam_day: Callable[..., ExamDay]
) -> None:
    day = filled(open_exam_day(sqlite_exam_day.desk.database, cipher=TemplateCipher(KEY), faces="pilot"))

    assert build_pack(day.desk, day.session.id).rule == "hold"
    tablet = Tablet(day)
    tablet.deliver(tablet.take("c1", "1", provisional=False))
    assert [(one.outcome, one.held) for one in checkins(day)] == [("referred", True)]


def test_the_private_key_is_sealed_at_rest_and_gone_a_day_after_the_end(
    hall: ExamDay, tablet: Tablet
) -> None:
    item = tablet.take("c1", "1")
    database = hall.desk.database
    assert purge_queue_keys(database) == 0
    with database.read() as db:
        row = db.scalars(select(QueueKeyRow)).one()
    assert len(row.sealed) == 32 + 28
    end = datetime.now(UTC) - timedelta(hours=25)
    change = SessionChanges(opens_at=end - timedelta(hours=1), closes_at=end, reason="test")
    change_session(hall.desk, hall.session.id, change, ORIGIN)

    assert purge_queue_keys(database) == 1

    with pytest.raises(QueueUnreadable):
        tablet.deliver(item)


def test_report_attendance_and_audit_show_what_is_held_and_when_it_was(hall: ExamDay, tablet: Tablet) -> None:
    tablet.deliver(tablet.take("c1", "1"))
    tablet.deliver(tablet.take("c2", "7"))

    report = "".join(report_csv(hall.desk, hall.session.id, scores=True)).splitlines()

    names = report[0].lstrip("\ufeff").split(",")
    lines = [dict(zip(names, line.split(","), strict=True)) for line in report[1:]]
    rows = [one for one in lines if one["kind"] == "attempt"]
    told = [
        (one["external_id"], one["held"], one["let_in_provisionally"], one["time_estimated"]) for one in rows
    ]
    assert told == [("c1", "no", "yes", "no"), ("c2", "yes", "yes", "no")]
    assert all(one["time"] < one["delivered_at"] for one in rows)
    (room,) = room_of(hall.desk, hall.session.id)
    assert [one.held for one in room.candidates] == [False, True, False]
    assert verify_evidence(hall.desk.database) == []
