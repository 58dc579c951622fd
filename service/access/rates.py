"""How many requests a key may send: a bucket for each, filled at a steady rate (a token bucket).

Counted in each process by itself: two processes allow twice as many. It keeps one runaway client from taking
the places of all others; it is not what protects a secret of 256 random bits.
"""

import math
import threading
import time
from dataclasses import dataclass
from uuid import UUID

from service.errors import RateLimited


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class Rates:
    """The buckets of all keys; thread-safe.

    Args:
        per_minute: Requests of one key in a minute, which it may also send all at once; None for no limit.
    """

    def __init__(self, per_minute: int | None) -> None:
        self._per_minute = per_minute
        self._buckets: dict[UUID, _Bucket] = {}
        self._taking = threading.Lock()

    def take(self, key_id: UUID) -> None:
        """Count one request.

        Raises:
            RateLimited: If the key has sent too many; it says when the next is allowed.
        """
        if self._per_minute is None:
            return
        now, each_second = time.monotonic(), self._per_minute / 60
        with self._taking:
            bucket = self._buckets.setdefault(key_id, _Bucket(self._per_minute, now))
            gained = (now - bucket.filled_at) * each_second
            bucket.tokens = min(self._per_minute, bucket.tokens + gained)
            bucket.filled_at = now
            if bucket.tokens < 1:
                raise RateLimited(self._per_minute, math.ceil((1 - bucket.tokens) / each_second))
            bucket.tokens -= 1
