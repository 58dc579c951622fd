"""Identifiers that sort by creation time."""

import secrets
import threading
import time
from uuid import UUID

_COUNTER_BITS = 12
_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """A new UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then a counter, then random bits.

    Within one process the ids ascend strictly, even within one millisecond and when the clock steps back
    (section 6.2, method 1: `rand_a` is a 12-bit counter; an overflow borrows the next millisecond).
    """
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1_000_000 << _COUNTER_BITS)
        milliseconds, counter = divmod(_last, 1 << _COUNTER_BITS)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | secrets.randbits(62))
