"""Operators who are held to some exams: others are not there for them.

What leads to no exam is closed to such an operator, unless it is named here: a new route is closed until
somebody has thought about it.
"""

from uuid import UUID

from fastapi import Request

from service.access.callers import Caller
from service.errors import Forbidden
from service.exams.visibility import EXAM_OF, require_visible
from service.parts import Parts

OF_NO_EXAM = frozenset(
    {"/v1/complaints", "/v1/exams", "/v1/quality", "/v1/sessions", "/v1/waiting", "/v1/waiting/live"}
)
"""Lists that are cut to the operator's exams, and a look at a picture that is compared with nobody."""
OWN_ACCOUNT = "/v1/me"


def require_exam(request: Request, parts: Parts, caller: Caller) -> None:
    """Refuse an operator who is held to other exams.

    Raises:
        ExamNotFound, SessionNotFound, CheckinNotFound: As if there were none.
        Forbidden: If what is asked for is about no exam.
    """
    if caller.exam_ids is None:
        return
    path = request.scope["route"].path
    if path in OF_NO_EXAM or path.startswith(OWN_ACCOUNT):
        return
    named = {name: str(text) for name, text in request.path_params.items() if name in EXAM_OF}
    if not named:
        raise Forbidden("You are held to some exams, and this is about none of them.")
    for name, text in named.items():
        if (wanted := read_uuid(text)) is not None:
            require_visible(parts.database, caller.exam_ids, name, wanted)


def read_uuid(text: str) -> UUID | None:
    """An id; None for a text that is none, which FastAPI refuses with where it stands."""
    try:
        return UUID(text)
    except ValueError:
        return None
