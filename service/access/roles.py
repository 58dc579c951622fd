"""What operators are there to do: each role is a set of scopes, and this is the one table of them."""

from enum import StrEnum

from service.access.scopes import Scope


class Role(StrEnum):
    """What an operator may do; `docs/security.md` says it in words."""

    INVIGILATOR = "invigilator"
    EXAM_OFFICE = "exam_office"
    REGISTRAR = "registrar"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


SCOPES: dict[Role, frozenset[Scope]] = {
    Role.INVIGILATOR: frozenset({Scope.CHECKIN, Scope.OVERRIDE}),
    Role.EXAM_OFFICE: frozenset(
        {Scope.EXAMS_WRITE, Scope.CHECKIN, Scope.OVERRIDE, Scope.SUBJECTS_READ, Scope.SCORES_READ}
    ),
    Role.REGISTRAR: frozenset({Scope.ENROL, Scope.SUBJECTS_READ, Scope.VERIFY, Scope.SEARCH}),
    Role.AUDITOR: frozenset({Scope.AUDIT_READ, Scope.SUBJECTS_READ, Scope.SCORES_READ}),
    Role.ADMINISTRATOR: frozenset({Scope.ADMIN}),
}

BY_EXAM = frozenset({Role.INVIGILATOR})
"""Roles whose operators may be held to some exams: all that they may do is about one."""
