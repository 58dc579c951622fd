"""What the client raises."""

from collections.abc import Mapping
from typing import Any

import httpx2


class InvigilError(Exception):
    """The service has refused a request, or could not serve it (RFC 9457).

    Attributes:
        status: Of HTTP.
        code: Stable; what a program decides by.
        retryable: Whether the same request may succeed later.
        request_id: By which the service's log tells of it.
        retry_after: Seconds that the service asks to wait; None where it does not say.
        problem: Everything that the answer says.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail') or problem.get('title')}")
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.retryable = bool(problem.get("retryable", status in (429, 503)))
        self.request_id = problem.get("request_id")
        self.retry_after = retry_after
        self.problem = problem


def error_of(answer: httpx2.Response) -> InvigilError:
    """The error that an answer stands for; one that is not of the service, as a proxy's, has no code."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"title": answer.reason_phrase}
    waits = answer.headers.get("Retry-After", "")
    return InvigilError(answer.status_code, problem, float(waits) if waits.isdecimal() else None)
