"""The people who work with a demonstration: one for each role, with a password of this run."""

import secrets

from index.audit import Origin
from index.ids import uuid7
from service.access.operators import OperatorTerms, login_key
from service.access.roles import Role
from service.parts import Parts

PASSWORD_BYTES = 15
ALL = 200


def people_of(parts: Parts, actor: str) -> str:
    """An operator of each role, named as the role; returns the password of all of them.

    A second run gives them another one, but to those whom a visitor has ended.
    """
    password, by = secrets.token_urlsafe(PASSWORD_BYTES), Origin(actor)
    known = {login_key(one.login): one for one in parts.operators.page(ALL)}
    for role in Role:
        former = known.get(role)
        if former is not None and former.ended_at is not None:
            continue
        if former is not None:
            link = parts.invitations.reset(former.id, by)[1]
        else:
            name = f"Demo {role.replace('_', ' ')}"
            link = parts.invitations.create(OperatorTerms(role, name, role), by, uuid7())[1]
        parts.invitations.accept(link.token, password)
    return password
