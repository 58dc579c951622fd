"""Which answers are worth another try, and how long to wait for it."""

import random
from typing import Any

import httpx2
from tenacity import RetryCallState, retry_if_exception, stop_after_attempt

from invigil_client.errors import InvigilError

LONGEST_WAIT_SECONDS = 30.0
FIRST_WAIT_SECONDS = 0.2


def retry_options(tries: int) -> dict[str, Any]:
    """What `tenacity` is told, for both kinds of client."""
    return {
        "stop": stop_after_attempt(tries),
        "wait": seconds_to_wait,
        "retry": retry_if_exception(is_worth_another_try),
        "reraise": True,
    }


def is_worth_another_try(error: BaseException) -> bool:
    """Whether the same request may succeed a little later, and can do no harm twice."""
    if isinstance(error, InvigilError):
        return error.retryable and error.status in (429, 503)
    return isinstance(error, httpx2.TransportError)


def seconds_to_wait(state: RetryCallState) -> float:
    """What the service asks for, or twice as long as before, a little shorter or longer."""
    error = state.outcome.exception() if state.outcome else None
    doubled = FIRST_WAIT_SECONDS * 2 ** (state.attempt_number - 1) * random.uniform(0.75, 1.25)
    asked = error.retry_after if isinstance(error, InvigilError) else None
    return min(LONGEST_WAIT_SECONDS, doubled if asked is None else asked)
