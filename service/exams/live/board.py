"""Live boards: one reader of the database in each process, however many people watch.

Fifty viewers cost one query every half second and fifty small writes to sockets.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Set
from dataclasses import dataclass
from uuid import UUID

from index.errors import DatabaseError
from service.exams.context import Desk
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
from service.logs import log

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
LONGEST_SECONDS = 900.0
"""A stream ends after a while; the browser comes back by itself, and its key is checked anew."""

LARGEST_BACKLOG = 1_000
"""Messages that wait for one slow viewer; beyond, it is let go and comes back where it was."""

Backlog = asyncio.Queue[FeedEvent | None]


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
        self._named: dict[Backlog, Viewer] = {}
        self._viewers: dict[UUID, set[Backlog]] = defaultdict(set)
        self._marks: dict[UUID, Marks] = {}
        self._reader: asyncio.Task[None] | None = None

    @property
    def viewers(self) -> int:
        """How many watch."""
        return sum(map(len, self._viewers.values()))

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
        backlog: Backlog = asyncio.Queue(LARGEST_BACKLOG)
        self._viewers[session_id].add(backlog)
        if viewer is not None:
            self._named[backlog] = viewer
        try:
            await self._start_reading()
            await self._start_comparing(session_id)
            seen = 0
            for event in await asyncio.to_thread(first_messages, self._desk(), session_id, after_seq, digest):
                seen = event.seq
                yield event
                if event.kind == "closed":
                    return
            async for news_or_life in drain(backlog, seen):
                yield news_or_life
        finally:
            self._named.pop(backlog, None)
            self._viewers[session_id].discard(backlog)
            if not self._viewers[session_id]:
                del self._viewers[session_id]
                self._marks.pop(session_id, None)

    def close(self) -> None:
        """Let every viewer go."""
        for backlog in [one for group in self._viewers.values() for one in group]:
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


async def drain(backlog: Backlog, seen: int) -> AsyncIterator[FeedEvent | None]:
    """The messages behind a number as they come; None when none came for a while."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LONGEST_SECONDS
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


def end(backlog: Backlog) -> None:
    """Let one viewer go, whatever waits for it."""
    while not backlog.empty():
        backlog.get_nowait()
    backlog.put_nowait(None)
