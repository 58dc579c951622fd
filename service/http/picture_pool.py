"""Work on pictures in a thread pool of its own: so many at once, so many waiting, and no more."""

import asyncio
import contextvars
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import ParamSpec, Self, TypeVar
from uuid import UUID

from service.errors import QueueFull

P = ParamSpec("P")
T = TypeVar("T")


SHARE_WAIT_SECONDS = 10.0


@dataclass
class _Share:
    places: asyncio.Semaphore
    users: int = 0


class Admission:
    """A place among the pictures that are being received, waiting or worked on."""

    def __init__(self, pictures: "PictureWork") -> None:
        self._pictures = pictures
        self._held_bytes = 0

    def hold(self, count: int) -> None:
        """So many more bytes of the body have come; they count until the place is given back.

        Raises:
            QueueFull: If all bodies together would hold more than they may.
        """
        if self._pictures.held_bytes + count > self._pictures.max_held_bytes:
            raise QueueFull(self._pictures.waiting())
        self._pictures.held_bytes += count
        self._held_bytes += count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pictures.admitted -= 1
        self._pictures.held_bytes -= self._held_bytes


class PictureWork:
    """Bounds what pictures may cost.

    A place is taken before the body is read, and every byte of it is counted while it comes, so the memory
    of all bodies is bounded as well. Everything but `run`'s own call happens on the event loop's thread, so
    the counts need no lock.

    Args:
        workers: Pictures worked on at once.
        queue: Pictures that may wait.
        max_held_bytes: Of all bodies that are received, waiting or worked on.
    """

    def __init__(self, workers: int, queue: int, max_held_bytes: int = sys.maxsize) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="pictures")
        self._places = workers + queue
        self._workers = workers
        self.max_held_bytes = max_held_bytes
        self._shares: dict[UUID, _Share] = {}
        self.admitted = 0
        self.held_bytes = 0

    def count(self) -> int:
        """Admitted pictures."""
        return self.admitted

    def waiting(self) -> int:
        """Admitted pictures beyond those that can be worked on at once."""
        return max(0, self.admitted - self._workers)

    @asynccontextmanager
    async def share_of(self, key_id: UUID) -> AsyncIterator[None]:
        """One of the key's own places to receive a body: a quarter of all, so that one key's slow senders
        leave room for the others. It is waited for; quick senders do not notice.

        Raises:
            QueueFull: If none comes free in time.
        """
        share = self._shares.setdefault(key_id, _Share(asyncio.Semaphore(max(2, self._places // 4))))
        share.users += 1
        try:
            try:
                async with asyncio.timeout(SHARE_WAIT_SECONDS):
                    await share.places.acquire()
            except TimeoutError as full:
                raise QueueFull(self.waiting()) from full
            try:
                yield
            finally:
                share.places.release()
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[key_id]

    def admit(self) -> Admission:
        """Take a place; it is given back when the admission's `with` block ends.

        Raises:
            QueueFull: If every place is taken.
        """
        if self.admitted >= self._places:
            raise QueueFull(self.waiting())
        self.admitted += 1
        return Admission(self)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work in the pool and wait for it."""
        loop = asyncio.get_running_loop()
        # With what is known of the request: where it came from.
        context = contextvars.copy_context()
        return await loop.run_in_executor(self._executor, lambda: context.run(work, *args, **kwargs))

    def close(self) -> None:
        """Finish what is running and drop what waits."""
        self._executor.shutdown(wait=True, cancel_futures=True)
