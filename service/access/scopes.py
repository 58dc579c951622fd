"""What a key may do."""

from enum import StrEnum


class Scope(StrEnum):
    """One permission; `admin` holds all of them."""

    ENROL = "enrol"
    VERIFY = "verify"
    SEARCH = "search"
    SCORES_READ = "scores:read"
    SUBJECTS_READ = "subjects:read"
    EXAMS_WRITE = "exams:write"
    CHECKIN = "checkin"
    OVERRIDE = "override"
    AUDIT_READ = "audit:read"
    MODELS_WRITE = "models:write"
    JOBS_RUN = "jobs:run"
    ADMIN = "admin"


KIOSK_SCOPES = frozenset({Scope.CHECKIN})
"""A key bound to one session may hold nothing else: whoever takes the tablet must not read subjects."""
