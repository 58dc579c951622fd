"""All rooms at once: who needs a person in any open session, and what happens there."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from fixtures_exams import ORIGIN, ExamDay, ExamService, hours_from_now

from service.exams.errors import ExamNotFound
from service.exams.exams import create_exam
from service.exams.live import board as live
from service.exams.live.board import Live, Viewer
from service.exams.live.rooms import Area, rooms_in
from service.exams.schemas import Session
from service.exams.sessions import change_session, create_session
from service.exams.terms import ExamTerms, SessionChanges, SessionTerms

CLOSING = SessionChanges(opens_at=hours_from_now(-2), closes_at=hours_from_now(-1), reason="the test is over")


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.1)


@pytest.fixture
def halls(exam_day: ExamDay) -> tuple[ExamDay, Session]:
    """Ann expected in the first room, Ben in the second."""
    exam_day.enrol("ann", "1")
    exam_day.enrol("ben", "2")
    second = exam_day.another_session(room="Room B")
    exam_day.roster("ann,Ann,A1")
    exam_day.roster_of(second.id, "ben,Ben,B1")
    return exam_day, second


def other_exam(hall: ExamDay, **window: Any) -> Session:
    terms = {"starts_at": hours_from_now(-1), "ends_at": hours_from_now(2)}
    exam = create_exam(hall.desk, ExamTerms.model_validate({"name": "Latin"} | terms), ORIGIN)
    window = {"room": "Room L", "opens_at": hours_from_now(-1), "closes_at": hours_from_now(1)} | window
    return create_session(hall.desk, exam.id, SessionTerms.model_validate(window), ORIGIN)


def needs_of(hall: ExamDay, area: Area | None = None) -> list[tuple[str, str]]:
    found = rooms_in(hall.desk, area or Area()).waiting
    return [(one.room, one.candidate.external_id if one.candidate else "") for one in found]


def test_all_who_need_a_person_in_any_open_room_are_on_one_list_oldest_first(
    halls: tuple[ExamDay, Session],
) -> None:
    hall, second = halls
    hall.arrive("ben", "9", session_id=second.id)
    hall.arrive("ann", "8")
    first = hall.session.room

    assert needs_of(hall) == [("Room B", "ben"), (first, "ann")]
    rooms = rooms_in(hall.desk, Area()).rooms
    assert {one.session.room: one.counts.referred for one in rooms} == {first: 1, "Room B": 1}

    change_session(hall.desk, second.id, CLOSING, ORIGIN)
    assert needs_of(hall) == [(first, "ann")]


def test_an_exam_or_who_is_held_to_some_sees_no_room_of_another(halls: tuple[ExamDay, Session]) -> None:
    hall, _ = halls
    latin, exam_id = other_exam(hall), hall.session.exam_id

    def rooms(area: Area) -> set[str]:
        return {one.session.room for one in rooms_in(hall.desk, area).rooms}

    assert rooms(Area()) == {hall.session.room, "Room B", "Room L"}
    assert rooms(Area(exam_id=latin.exam_id)) == {"Room L"}
    assert rooms(Area(visible=frozenset({exam_id}))) == {hall.session.room, "Room B"}
    assert rooms(Area(visible=frozenset())) == set()
    with pytest.raises(ExamNotFound):
        rooms_in(hall.desk, Area(exam_id=latin.exam_id, visible=frozenset({exam_id})))


class Watched:
    """A viewer of all rooms, and what it was told."""

    def __init__(self, board: Live, viewer: Viewer | None = None) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.task = asyncio.create_task(self._watch(board, viewer))

    async def _watch(self, board: Live, viewer: Viewer | None) -> None:
        async for one in board.follow_rooms(Area(), viewer):
            if one is not None:
                self.messages.append((one.kind, json.loads(one.data)))

    async def until(self, told: Callable[[str, dict[str, Any]], bool]) -> dict[str, Any]:
        """The newest message of which something is true, as soon as there is one."""
        async with asyncio.timeout(60):
            while not (found := [data for kind, data in self.messages if told(kind, data)]):
                assert not self.task.done()
                await asyncio.sleep(0.01)
            return found[-1]

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


def names(data: dict[str, Any]) -> list[str]:
    return [one["session"]["room"] for one in data["rooms"]]


def test_a_viewer_of_all_rooms_hears_of_each_and_of_rooms_that_open_and_close(
    halls: tuple[ExamDay, Session],
) -> None:
    hall, second = halls

    async def scene() -> None:
        board = Live(lambda: hall.desk)
        viewer = Watched(board)
        await viewer.until(lambda kind, data: kind == "rooms" and len(names(data)) == 2)
        await asyncio.to_thread(hall.arrive, "ben", "9", session_id=second.id)
        told = await viewer.until(lambda kind, data: kind == "checkin")
        assert (told["session_id"], told["counts"]["referred"]) == (str(second.id), 1)
        assert [one["room"] for one in told["waiting"]] == ["Room B"]

        await asyncio.to_thread(other_exam, hall)
        await viewer.until(lambda kind, data: kind == "rooms" and "Room L" in names(data))
        await asyncio.to_thread(change_session, hall.desk, second.id, CLOSING, ORIGIN)
        rest = await viewer.until(
            lambda kind, data: kind == "rooms" and "Room L" in names(data) and "Room B" not in names(data)
        )
        assert rest["waiting"] == []
        await viewer.stop()
        assert board.viewers == 0

    asyncio.run(scene())


def test_who_may_not_watch_any_longer_and_a_service_that_stops_end_it_even_without_an_open_room(
    halls: tuple[ExamDay, Session],
) -> None:
    hall, second = halls
    for session_id in (hall.session.id, second.id):
        change_session(hall.desk, session_id, CLOSING, ORIGIN)

    async def scene() -> None:
        valid = {one := Viewer(second.id), other := Viewer(hall.session.id)}
        board = Live(lambda: hall.desk, lambda viewers: valid & viewers)
        revoked, stays = Watched(board, one), Watched(board, other)
        for viewer in (revoked, stays):
            await viewer.until(lambda kind, data: kind == "rooms" and not names(data))
        valid.remove(one)
        await asyncio.to_thread(other_exam, hall)
        await stays.until(lambda kind, data: kind == "rooms" and names(data) == ["Room L"])
        async with asyncio.timeout(60):
            await revoked.task
        assert len(revoked.messages) == 1
        board.close()
        async with asyncio.timeout(60):
            await stays.task

    asyncio.run(scene())


def test_all_rooms_are_there_over_http_for_staff_alone(exam_service: ExamService) -> None:
    body = exam_service.call("GET", "waiting").json()

    assert [one["session"]["id"] for one in body["rooms"]] == [exam_service.session_id]
    assert exam_service.call("GET", "waiting?exam_id=01a21b55-fa90-7000-8000-000000000000").status_code == 404
    assert exam_service.call("GET", "waiting", key=exam_service.kiosk_key()).status_code == 403
