"""A server that is told to stop lets its streams go; it would wait for every live board otherwise."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def before_stopping(act: Callable[[], None]) -> None:
    """Do something on the event loop when the process is told to stop, then what was to be done anyway.

    To be called on the loop's thread, after the server has set its own signal handlers. Outside the main
    thread there are no signals to hear, and nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        before = signal.getsignal(number)
        if callable(before):
            signal.signal(number, _chained(loop, act, before))


def _chained(
    loop: asyncio.AbstractEventLoop,
    act: Callable[[], None],
    before: Callable[[int, FrameType | None], object],
) -> Callable[[int, FrameType | None], None]:
    def heard(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)
        before(number, frame)

    return heard
