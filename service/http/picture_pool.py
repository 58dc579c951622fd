"""Work on pictures in a thread pool of its own: so many at once, so many waiting, and no more."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from service.errors import QueueFull

P = ParamSpec("P")
T = TypeVar("T")


class Admission:
    """A place among the pictures that are being received, waiting or worked on."""

    def __init__(self, pictures: "PictureWork") -> None:
        self._pictures = pictures

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pictures.admitted -= 1


class PictureWork:
    """Bounds what pictures may cost.

    A place is taken before the body is read, so the bytes held in memory are bounded as well. Everything
    but `run`'s own call happens on the event loop's thread, so the count needs no lock.
    """

    def __init__(self, workers: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="pictures")
        self._places = workers + queue
        self._workers = workers
        self.admitted = 0

    def count(self) -> int:
        """Admitted pictures."""
        return self.admitted

    def waiting(self) -> int:
        """Admitted pictures beyond those that can be worked on at once."""
        return max(0, self.admitted - self._workers)

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
        return await loop.run_in_executor(self._executor, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Finish what is running and drop what waits."""
        self._executor.shutdown(wait=True, cancel_futures=True)
