"""Live boards: one reader of the database in each process, however many people watch.

Fifty viewers cost one query every half second and fifty small writes to sockets.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from index.errors import DatabaseError
from service.exams.context import Desk
from service.exams.errors import ExamNotFound
from service.exams.live.feed import (
    STANDING,
    FeedEvent,
    Link,
    closed_event,
    look,
    missed,
    newest_link,
    snapshot,
)
from service.exams.live.marks import Marks, read_marks
from service.exams.live.rooms import Area, open_rooms, rooms_event
from service.logs import log

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
LONGEST_SECONDS = 900.0
"""A stream ends after a while; the browser comes back by itself, and its key is checked anew."""

LARGEST_BACKLOG = 1_000
"""Messages that wait for one slow viewer; beyond, it is let go and comes back where it was."""


class Backlog(asyncio.Queue[FeedEvent | None]):
    """What waits for one viewer.

    Attributes:
        is_ended: Whether the viewer is to be let go.
    """

    is_ended = False


@dataclass(frozen=True)
class Viewer:
    """In whose name somebody watches.

    Attributes:
        caller_id: Of the key or the operator.
        page_digest: Of the page's session, where a page watches.
        is_operator: Whether it is an operator's.
    """

    caller_id: UUID
    page_digest: str | None = None
    is_operator: bool = False


Valid = Callable[[Set[Viewer]], Set[Viewer]]
"""Who of them may still watch."""


class Live:
    """Who watches which session in this process. All but the queries runs on the event loop's thread."""

    def __init__(self, desk: Callable[[], Desk], valid: Valid = lambda viewers: viewers) -> None:
        """Prepare; nothing is read before somebody watches.

        Args:
            desk: Gives the desk of this moment, with the models in use.
            valid: Asked twice a second, so that a key which is revoked sees nothing more.
        """
        self._desk = desk
        self._valid = valid
        self._backlogs: set[Backlog] = set()
        self._named: dict[Backlog, Viewer] = {}
        self._viewers: dict[UUID, set[Backlog]] = defaultdict(set)
        self._marks: dict[UUID, Marks] = {}
        self._reader: asyncio.Task[None] | None = None

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._backlogs)

    async def follow(
        self, session_id: UUID, after_seq: int | None, digest: str = "", viewer: Viewer | None = None
    ) -> AsyncIterator[FeedEvent | None]:
        """The session's messages: the board or what was missed, then what happens; None is a heartbeat.

        It ends after the session has closed, after LONGEST_SECONDS, when the viewer's key or sign-in ends,
        and when the process stops.

        Args:
            session_id: A session that exists.
            after_seq: The number of the last message that the viewer has, when it comes back.
            digest: That message's; of another history than the database's, it brings the whole board.
            viewer: Who watches.
        """
        async with self._joined({session_id}, viewer) as backlog:
            seen, until = 0, longest()
            for event in await asyncio.to_thread(first_messages, self._desk(), session_id, after_seq, digest):
                seen = event.seq
                yield event
                if event.kind == "closed":
                    return
            async for news_or_life in drain(backlog, seen, until):
                yield news_or_life

    async def follow_rooms(self, area: Area, viewer: Viewer | None = None) -> AsyncIterator[FeedEvent | None]:
        """The open rooms of an area, then what happens in any of them; None is a heartbeat.

        The rooms come again when one opens, HEARTBEAT_SECONDS later at most, or closes. It ends as `follow`
        does, but for the end of a session.
        """
        until = longest()
        try:
            while asyncio.get_running_loop().time() < until:
                session_ids = await asyncio.to_thread(open_rooms, self._desk(), area)
                async with self._joined(session_ids, viewer) as backlog:
                    # Nobody's key is looked at while no room is open.
                    if viewer and not await asyncio.to_thread(self._valid, {viewer}):
                        return
                    whole = await asyncio.to_thread(rooms_event, self._desk(), session_ids)
                    yield whole
                    async for news in self._news_of_rooms(
                        area, session_ids, drain(backlog, whole.seq, until)
                    ):
                        yield news
                    if backlog.is_ended:
                        return
        except (DatabaseError, ExamNotFound) as error:
            # The browser comes back, and is told what is the matter.
            log.warning("live_rooms_end", code=error.code)

    async def _news_of_rooms(
        self, area: Area, session_ids: Set[UUID], messages: AsyncIterator[FeedEvent | None]
    ) -> AsyncIterator[FeedEvent | None]:
        """The messages until other rooms are open than these."""
        loop = asyncio.get_running_loop()
        looked = loop.time()
        async for news in messages:
            if news is not None and news.kind == "closed":
                return
            yield news
            if loop.time() - looked >= HEARTBEAT_SECONDS:
                looked = loop.time()
                if await asyncio.to_thread(open_rooms, self._desk(), area) != session_ids:
                    return

    @asynccontextmanager
    async def _joined(self, session_ids: Set[UUID], viewer: Viewer | None) -> AsyncIterator[Backlog]:
        """Collect what happens in these sessions from now on."""
        backlog = Backlog(LARGEST_BACKLOG)
        self._backlogs.add(backlog)
        for session_id in session_ids:
            self._viewers[session_id].add(backlog)
        if viewer is not None:
            self._named[backlog] = viewer
        try:
            await self._start_reading()
            for session_id in session_ids:
                await self._start_comparing(session_id)
            yield backlog
        finally:
            self._backlogs.discard(backlog)
            self._named.pop(backlog, None)
            for session_id in session_ids:
                self._leave(session_id, backlog)

    def _leave(self, session_id: UUID, backlog: Backlog) -> None:
        self._viewers[session_id].discard(backlog)
        if not self._viewers[session_id]:
            del self._viewers[session_id]
            self._marks.pop(session_id, None)

    def close(self) -> None:
        """Let every viewer go."""
        for backlog in list(self._backlogs):
            end(backlog)
        if self._reader is not None:
            self._reader.cancel()

    async def _start_reading(self) -> None:
        """See that somebody reads, from a number older than any board that the caller reads from now on."""
        if self._is_idle():
            newest = await asyncio.to_thread(self._newest)
            # Another viewer may have come first meanwhile; its number is older than this caller's board, too.
            if self._is_idle():
                self._reader = asyncio.create_task(self._read(newest))

    async def _start_comparing(self, session_id: UUID) -> None:
        """Know how the candidates stood before any board that the caller reads from now on."""
        now = await asyncio.to_thread(marks_of, self._desk(), session_id)
        known = self._marks.get(session_id)
        if known is None or now.read_at < known.read_at:
            self._marks[session_id] = now

    def _is_idle(self) -> bool:
        return self._reader is None or self._reader.done()

    async def _read(self, read: Link) -> None:
        """Read what is behind an event, for as long as somebody watches."""
        while self._viewers:
            try:
                read = await self._read_once(read)
            except DatabaseError as error:
                # The database may be restarting; viewers keep their connection and miss nothing.
                log.warning("live_feed_waits", code=error.code)
            except Exception:
                # A fault of ours must not leave viewers before a board that stands still: they come back, and
                # are given the board that the event which nobody can show has led to.
                log.exception("live_feed_failed")
                for session_id in list(self._viewers):
                    self._let_go(session_id)
                return
            await asyncio.sleep(POLL_SECONDS)

    def _newest(self) -> Link:
        with self._desk().database.read() as db:
            return newest_link(db)

    async def _read_once(self, read: Link) -> Link:
        # First, so that nobody is told what happened after their key was revoked.
        viewers = set(self._named.values())
        ended = viewers - await asyncio.to_thread(self._valid, viewers) if viewers else set()
        for backlog in [one for one, viewer in self._named.items() if viewer in ended]:
            end(backlog)
        before = {session_id: self._marks.get(session_id) for session_id in self._viewers}
        found = await asyncio.to_thread(look, self._desk(), read, before)
        for session_id, stood in before.items():
            if found.has_gone_back:
                self._let_go(session_id)
                continue
            self._spread(session_id, found.events.get(session_id, []))
            # A viewer who came meanwhile may have an older board than this look: then it is compared again.
            if session_id in found.marks and self._marks.get(session_id) is stood:
                self._marks[session_id] = found.marks[session_id]
        return found.read

    def _let_go(self, session_id: UUID) -> None:
        """End the streams of a session; the browsers come back and are given the board as it is now."""
        for backlog in self._viewers.get(session_id, ()):
            end(backlog)

    def _spread(self, session_id: UUID, messages: Iterable[FeedEvent]) -> None:
        for message in messages:
            for backlog in self._viewers.get(session_id, ()):
                if backlog.full():
                    end(backlog)
                else:
                    backlog.put_nowait(message)


def marks_of(desk: Desk, session_id: UUID) -> Marks:
    """How the candidates of a session stand now."""
    with desk.database.read() as db:
        return read_marks(db, session_id)


def first_messages(desk: Desk, session_id: UUID, after_seq: int | None, digest: str) -> list[FeedEvent]:
    """What a viewer needs before the news: what it missed, or the board; and the end, where that has come."""
    # First whether it is over: what comes after would otherwise be lost between the two.
    last = closed_event(desk, session_id)
    behind = missed(desk, session_id, after_seq, digest) if after_seq is not None else None
    first = [snapshot(desk, session_id)] if behind is None else behind
    return [*first, last] if last else first


async def drain(backlog: Backlog, seen: int, until: float | None = None) -> AsyncIterator[FeedEvent | None]:
    """The messages behind a number, until a time of the loop's clock; None when none came for a while."""
    loop = asyncio.get_running_loop()
    until = longest() if until is None else until
    while loop.time() < until:
        try:
            message = await asyncio.wait_for(backlog.get(), HEARTBEAT_SECONDS)
        except TimeoutError:
            yield None
            continue
        if message is None:
            return
        # How somebody stands may change by the clock, without any event; it does no harm to hear it again.
        if message.seq > seen or message.kind in ("closed", STANDING):
            yield message
        if message.kind == "closed":
            return


def longest() -> float:
    """Until when a stream that begins now may last, by the loop's clock."""
    return asyncio.get_running_loop().time() + LONGEST_SECONDS


def end(backlog: Backlog) -> None:
    """Let one viewer go, whatever waits for it."""
    while not backlog.empty():
        backlog.get_nowait()
    backlog.is_ended = True
    backlog.put_nowait(None)
