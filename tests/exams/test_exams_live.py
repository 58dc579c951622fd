"""The live board: what happens at the door reaches every viewer, once, in order, in every process."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fixtures_exams import ORIGIN, ExamDay, ExamService, hours_from_now
from restoring import keep_copy
from sqlalchemy import event

from index import audit
from index.database.database import Database
from index.ids import uuid7
from index.subjects.subjects import ExternalId, Subjects
from service.access.scopes import Scope
from service.errors import SessionNotFound
from service.exams.archive import remove_exam
from service.exams.audit import CHECKIN_RECORDED
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.errors import AlreadyCheckedIn
from service.exams.exams import change_exam
from service.exams.live import board as live
from service.exams.live.board import Live, Viewer
from service.exams.live.feed import FeedEvent
from service.exams.sessions import change_session
from service.exams.terms import ExamChanges, SessionChanges

CLOSING = SessionChanges(opens_at=hours_from_now(-2), closes_at=hours_from_now(-1), reason="the test is over")


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.02)


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """Two enrolled candidates on the roster."""
    for number in (1, 2):
        exam_day.enrol(f"c{number}", str(number))
    exam_day.roster("c1,Ann,A", "c2,Ben,B")
    return exam_day


async def follow(board: Live, hall: ExamDay, after_seq: int | None = None) -> list[FeedEvent]:
    """Every message until the stream ends."""
    return [one async for one in board.follow(hall.session.id, after_seq) if one is not None]


def watched(hall: ExamDay, *happenings: Callable[[], object], viewers: int = 1) -> list[list[FeedEvent]]:
    """What each viewer sees of what happens, and then of the session's end."""

    seen: list[list[FeedEvent]] = [[] for _ in range(viewers)]

    async def view(board: Live, messages: list[FeedEvent]) -> None:
        async for one in board.follow(hall.session.id, None):
            if one is not None:
                messages.append(one)

    async def scene() -> None:
        board = Live(lambda: hall.desk)
        watching = [asyncio.create_task(view(board, messages)) for messages in seen]
        async with asyncio.timeout(60):
            while not all(seen):
                await asyncio.sleep(0.01)
        for happening in happenings:
            await asyncio.to_thread(happening)
            await asyncio.sleep(0.1)
        await asyncio.to_thread(change_session, hall.desk, hall.session.id, CLOSING, ORIGIN)
        async with asyncio.timeout(60):
            await asyncio.gather(*watching)

    asyncio.run(scene())
    return seen


def content(message: FeedEvent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message.data)
    return found


def test_a_viewer_sees_the_board_then_each_change_then_the_end(hall: ExamDay) -> None:
    def refer_and_settle() -> None:
        referred = hall.arrive("c2", "9").checkin
        terms = OverrideTerms.model_validate({"outcome": "refused", "reason_code": "impersonation_suspected"})
        override(hall.desk, referred.id, terms, ORIGIN)

    def come_again() -> None:
        with pytest.raises(AlreadyCheckedIn):
            hall.arrive("c1", "1", kiosk="door 1")

    messages = watched(hall, lambda: hall.arrive("c1", "1"), refer_and_settle, come_again)[0]

    kinds = [one.kind for one in messages]
    assert kinds == ["snapshot", "checkin", "checkin", "override", "declined", "session", "closed"]
    board, first = content(messages[0]), content(messages[1])
    assert [one["status"] for one in board["candidates"]] == ["expected", "expected"]
    assert (first["checkin"]["outcome"], first["candidate"]["display_name"]) == ("admitted", "Ann")
    assert first["counts"]["admitted"] == 1
    settled, declined = content(messages[3]), content(messages[4])
    assert (settled["override"]["outcome"], settled["candidate"]["status"]) == ("refused", "refused")
    assert (declined["code"], declined["kiosk"], declined["candidate"]["external_id"]) == (
        "already_checked_in",
        "door 1",
        "c1",
    )


def expire(hall: ExamDay, name: str, seconds: float) -> None:
    """Let a candidate's legal basis end in a moment."""
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    basis = {"basis": "consent", "reference": "form 7", "expires_at": end.isoformat()}
    subjects = Subjects(hall.desk.database)
    subjects.change(ExternalId(name), legal_basis=basis, actor="test")


def withdraw(hall: ExamDay, name: str) -> None:
    subject = Subjects(hall.desk.database).find(ExternalId(name))
    hall.desk.gallery.withdraw(subject.id, actor="test")


def erase(hall: ExamDay, name: str) -> None:
    subject = Subjects(hall.desk.database).find(ExternalId(name))
    hall.desk.gallery.erase(subject.id, actor="test")


def standings(messages: Sequence[FeedEvent]) -> list[tuple[str, bool, bool]]:
    """Who is said to stand otherwise: by a document, and as a subject at all."""
    found = [content(one)["candidate"] for one in messages if one.kind == "standing"]
    return [
        (one["external_id"], one["flags"]["manual_identification"], one["subject_id"] is not None)
        for one in found
    ]


def test_a_consent_that_is_withdrawn_is_on_the_board_at_once_in_every_process(
    hall: ExamDay, database_url: str, open_database: Callable[[str], Database]
) -> None:
    other = replace(hall, desk=replace(hall.desk, database=open_database(database_url)))

    messages = watched(hall, lambda: withdraw(other, "c1"), lambda: hall.arrive("c2", "2"))[0]

    assert standings(messages) == [("c1", True, True)]
    assert [one.kind for one in messages] == ["snapshot", "standing", "checkin", "session", "closed"]


def test_a_basis_that_ends_by_the_clock_is_on_the_board_when_it_ends(hall: ExamDay) -> None:
    def end_soon() -> None:
        expire(hall, "c1", 1.0)
        time.sleep(2.5)

    messages = watched(hall, end_soon)[0]

    flags = [one["flags"]["manual_identification"] for one in content(messages[0])["candidates"]]
    assert flags == [False, False]
    assert standings(messages) == [("c1", True, True)]


def test_who_is_renewed_or_erased_stands_otherwise_on_an_open_board(hall: ExamDay) -> None:
    expire(hall, "c1", -1)

    messages = watched(hall, lambda: expire(hall, "c1", 3600), lambda: erase(hall, "c2"))[0]

    assert standings(messages) == [("c1", False, True), ("c2", False, False)]


def test_who_comes_back_after_somebody_withdrew_gets_the_whole_board(hall: ExamDay) -> None:
    board = Live(lambda: hall.desk)

    async def first(after_seq: int | None) -> FeedEvent:
        following = board.follow(hall.session.id, after_seq)
        message = await anext(following)
        await following.aclose()  # type: ignore[attr-defined]
        assert message is not None
        return message

    before = asyncio.run(first(None))
    withdraw(hall, "c1")
    again = asyncio.run(first(before.seq))

    assert again.kind == "snapshot"
    assert content(again)["candidates"][0]["flags"]["manual_identification"]


def test_an_exam_that_is_archived_or_deleted_ends_its_boards(hall: ExamDay) -> None:
    async def ended(happening: Callable[[], object]) -> list[FeedEvent]:
        board, seen = Live(lambda: hall.desk), list[FeedEvent]()
        async with asyncio.timeout(60):
            async for one in board.follow(hall.session.id, None):
                if one is not None:
                    seen.append(one)
                if len(seen) == 1:
                    await asyncio.to_thread(happening)
        return seen

    hall.arrive("c1", "1")
    admin = replace(ORIGIN, is_admin=True)
    archived = asyncio.run(ended(lambda: remove_exam(hall.desk, hall.exam.id, admin, "fire alarm")))
    again = asyncio.run(ended(lambda: None))

    assert [one.kind for one in archived] == [one.kind for one in again] == ["snapshot", "closed"]


def test_a_session_that_is_deleted_with_its_exam_ends_its_boards(hall: ExamDay) -> None:
    async def scene() -> list[str]:
        watching = asyncio.create_task(follow(Live(lambda: hall.desk), hall))
        await asyncio.sleep(0.3)
        admin = replace(ORIGIN, is_admin=True)
        await asyncio.to_thread(remove_exam, hall.desk, hall.exam.id, admin, "made by mistake")
        async with asyncio.timeout(60):
            return [one.kind for one in await watching]

    assert asyncio.run(scene()) == ["snapshot", "closed"]


def test_a_rule_of_the_exam_that_is_changed_reaches_an_open_board(hall: ExamDay) -> None:
    messages = watched(
        hall, lambda: change_exam(hall.desk, hall.exam.id, ExamChanges(attempts_allowed=5), ORIGIN)
    )[0]

    changed = next(one for one in messages if one.kind == "session")
    assert content(changed)["session"]["attempts_allowed"] == 5


def test_a_viewer_of_a_database_that_went_back_in_time_begins_anew(hall: ExamDay) -> None:
    put_back = keep_copy(hall.desk.database)

    async def scene() -> list[str]:
        board = Live(lambda: hall.desk)
        watching = asyncio.create_task(follow(board, hall))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(hall.arrive, "c1", "1")
        await asyncio.sleep(0.5)
        await asyncio.to_thread(put_back)
        await asyncio.to_thread(hall.arrive, "c2", "2")
        async with asyncio.timeout(60):
            seen = await watching
        await asyncio.to_thread(change_session, hall.desk, hall.session.id, CLOSING, ORIGIN)
        last = seen[-1]
        again = [one async for one in board.follow(hall.session.id, last.seq, last.digest) if one is not None]
        return [one.kind for one in [*seen, *again]]

    kinds = asyncio.run(scene())

    # The stream ends, and whoever comes back is given the whole board, though the number is known again.
    assert kinds == ["snapshot", "checkin", "snapshot", "closed"]


def test_an_event_that_no_board_can_show_ends_the_streams_instead_of_stopping_them(hall: ExamDay) -> None:
    async def scene() -> list[str]:
        board = Live(lambda: hall.desk)
        watching = asyncio.create_task(follow(board, hall))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(record_nonsense, hall.desk.database)
        async with asyncio.timeout(60):
            seen = await watching
        await asyncio.to_thread(change_session, hall.desk, hall.session.id, CLOSING, ORIGIN)
        return [one.kind for one in [*seen, *await follow(board, hall)]]

    assert asyncio.run(scene()) == ["snapshot", "snapshot", "closed"]


def record_nonsense(database: Database) -> None:
    with database.write() as db:
        audit.record(db, action=CHECKIN_RECORDED, actor="a fault of ours", details={"session_id": "none"})


def test_numbers_ascend_and_nothing_comes_twice(hall: ExamDay) -> None:
    messages = watched(hall, lambda: hall.arrive("c1", "1"), lambda: hall.arrive("c2", "2"))[0]

    numbers = [one.seq for one in messages if one.kind != "closed"]
    assert numbers == sorted(set(numbers))


def test_a_viewer_is_not_sent_again_what_its_board_holds_already() -> None:
    async def drained() -> list[int]:
        backlog = live.Backlog()
        for seq in (4, 5, 6, 7):
            backlog.put_nowait(FeedEvent(seq, "checkin", "{}", "{}", digest=""))
        backlog.put_nowait(None)
        return [one.seq async for one in live.drain(backlog, seen=5) if one is not None]

    assert asyncio.run(drained()) == [6, 7]


def test_fifty_viewers_see_the_same_and_cost_one_reader(hall: ExamDay) -> None:
    queries: list[str] = []

    def count(_: object, __: object, statement: str, *rest: object) -> None:
        if "max(audit_event.seq)" not in statement and "FROM audit_event" in statement:
            queries.append(statement)

    event.listen(hall.desk.database.engine, "before_cursor_execute", count)
    seen = watched(hall, lambda: hall.arrive("c1", "1"), viewers=50)
    event.remove(hall.desk.database.engine, "before_cursor_execute", count)

    assert len({tuple(one.data for one in messages[1:]) for messages in seen}) == 1
    assert [one.kind for one in seen[0]] == ["snapshot", "checkin", "session", "closed"]
    assert len(queries) < 1000


def test_nothing_is_lost_between_the_board_and_the_news(hall: ExamDay) -> None:
    async def scene() -> list[FeedEvent]:
        # One thread does one thing after the other: somebody arrives while the first viewer is being set up.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        watching = asyncio.create_task(follow(Live(lambda: hall.desk), hall))
        await asyncio.sleep(0)
        await asyncio.to_thread(hall.arrive, "c1", "1")
        await asyncio.sleep(0.1)
        await asyncio.to_thread(change_session, hall.desk, hall.session.id, CLOSING, ORIGIN)
        async with asyncio.timeout(60):
            return await watching

    messages = asyncio.run(scene())

    board = content(messages[0])["candidates"][0]["status"]
    assert board == "admitted" or "checkin" in [one.kind for one in messages]


def test_another_processes_door_is_seen(
    hall: ExamDay, database_url: str, open_database: Callable[[str], Database]
) -> None:
    other = replace(hall, desk=replace(hall.desk, database=open_database(database_url)))

    messages = watched(hall, lambda: other.arrive("c1", "1"))[0]

    assert "checkin" in [one.kind for one in messages]


def test_another_sessions_door_is_not_seen(hall: ExamDay) -> None:
    other = hall.another_session()
    hall.enrol("c3", "3")
    hall.roster_of(other.id, "c3,Cat,C")

    messages = watched(hall, lambda: hall.arrive("c3", "3", session_id=other.id))[0]

    assert [one.kind for one in messages] == ["snapshot", "session", "closed"]


def test_who_comes_back_gets_what_was_missed_and_no_board(hall: ExamDay) -> None:
    before = watched(hall)[0][0].seq
    reopen = SessionChanges(
        opens_at=hours_from_now(-1), closes_at=hours_from_now(1), reason="closed by mistake"
    )
    change_session(hall.desk, hall.session.id, reopen, ORIGIN)
    hall.arrive("c1", "1")
    change_session(hall.desk, hall.session.id, CLOSING, ORIGIN)

    messages = asyncio.run(follow(Live(lambda: hall.desk), hall, before))

    assert [one.kind for one in messages] == ["session", "session", "checkin", "session", "closed"]


@pytest.mark.parametrize("after_seq", [0, 10**15])
def test_a_number_that_the_chain_does_not_know_brings_the_board(hall: ExamDay, after_seq: int) -> None:
    change_session(hall.desk, hall.session.id, CLOSING, ORIGIN)

    messages = asyncio.run(follow(Live(lambda: hall.desk), hall, after_seq))

    assert [one.kind for one in messages] == ["snapshot", "closed"]


def test_an_unknown_session_is_named(hall: ExamDay) -> None:
    async def scene() -> None:
        async for _ in Live(lambda: hall.desk).follow(uuid7(), None):
            pass

    with pytest.raises(SessionNotFound):
        asyncio.run(scene())


def test_a_stopping_process_lets_its_viewers_go(sqlite_exam_day: ExamDay) -> None:
    async def scene() -> list[FeedEvent]:
        board = Live(lambda: sqlite_exam_day.desk)
        watching = asyncio.create_task(follow(board, sqlite_exam_day))
        await asyncio.sleep(0.3)
        board.close()
        async with asyncio.timeout(30):
            return await watching

    assert [one.kind for one in asyncio.run(scene())] == ["snapshot"]


def test_a_quiet_session_gives_signs_of_life(
    sqlite_exam_day: ExamDay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)

    async def scene() -> FeedEvent | None:
        following = Live(lambda: sqlite_exam_day.desk).follow(sqlite_exam_day.session.id, None)
        await anext(following)
        async with asyncio.timeout(30):
            return await anext(following)

    assert asyncio.run(scene()) is None


@pytest.mark.parametrize("ended", ["key", "sign-in"])
def test_a_board_ends_with_the_key_or_the_sign_in_of_who_watches(
    staffed_exam: ExamService, ended: str
) -> None:
    parts = staffed_exam.service.parts
    facts, text = parts.keys.create("board", [Scope.OVERRIDE], actor="test")
    session = parts.page_sessions.open("console", parts.keys.authenticate(text))
    viewer = Viewer(facts.id, session.digest)

    async def watch() -> list[str]:
        seen = []
        async for one in parts.live.follow(UUID(staffed_exam.session_id), None, viewer=viewer):
            if one is not None:
                seen.append(one.kind)
                if ended == "key":
                    await asyncio.to_thread(parts.keys.revoke, facts.id, actor="test")
                else:
                    await asyncio.to_thread(parts.page_sessions.end, session.token)
        return seen

    assert asyncio.run(asyncio.wait_for(watch(), 30)) == ["snapshot"]
