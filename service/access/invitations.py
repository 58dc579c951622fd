"""Links by which people become operators, or set a new password: random, of one use, with an end.

Only the SHA-256 of a link is kept. Looking at a link uses nothing up: mail programs open links by themselves.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from index.audit import Origin
from index.clock import BACK, is_in_force
from index.database.database import Database
from index.ids import uuid7
from index.tables import OperatorLinkRow, OperatorRow, utc_now
from index.trail.anchor_lines import OPERATOR_RESET
from service.access.operators import (
    OperatorFacts,
    OperatorTerms,
    add_operator,
    can_administer,
    facts_of,
    forget_credentials,
    live_row,
    record,
    sign_out,
)
from service.access.passwords import Passwords, check_password
from service.access.roles import Role
from service.errors import InvalidRequest, InvitationInvalid

INVITED = timedelta(days=7)
RESET = timedelta(hours=24)
FIRST = timedelta(hours=24)


@dataclass(frozen=True)
class Link:
    """A link that was just made; its token cannot be had again."""

    token: str
    expires_at: datetime


@dataclass(frozen=True)
class Invitation:
    """What a link is for.

    Attributes:
        operator: Whose password it sets; None where it makes the first administrator.
    """

    operator: OperatorFacts | None
    expires_at: datetime


class Invitations:
    """The links in the database."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    def create(self, terms: OperatorTerms, by: Origin, operator_id: UUID) -> tuple[OperatorFacts, Link]:
        """A new operator, and the link to send; the same id again makes one operator, and a new link.

        Raises:
            LoginExists, InvalidRequest: As `add_operator`.
        """
        with self._database.write() as db:
            row = add_operator(db, operator_id, terms, by)
            link = new_link(db, row.id, INVITED)
            return facts_of(db, row), link

    def reset(self, operator_id: UUID, by: Origin) -> tuple[OperatorFacts, Link]:
        """A new link in place of every former one, of the password and of the second factor.

        Raises:
            OperatorNotFound, OperatorEnded: If there is nobody to send it to.
        """
        with self._database.write() as db:
            row = live_row(db, operator_id)
            lasts = RESET if row.password_hash else INVITED
            forget_credentials(db, row)
            sign_out(db, row)
            record(db, OPERATOR_RESET, by, row)
            link = new_link(db, row.id, lasts)
            return facts_of(db, row), link

    def create_first(self) -> Link | None:
        """The link of the first administrator, for a day; None where there is one, or such a link.

        Of two processes one gets it.
        """
        with self._database.write() as db:
            if db.scalar(select(OperatorRow.id).where(can_administer()).limit(1)) is not None:
                return None
            firsts = OperatorLinkRow.operator_id.is_(None)
            now = utc_now()
            over = or_(OperatorLinkRow.expires_at <= now, OperatorLinkRow.created_at > now + BACK)
            db.execute(delete(OperatorLinkRow).where(firsts, over))
            if db.scalar(select(OperatorLinkRow.token_digest).where(firsts).limit(1)) is not None:
                return None
            return new_link(db, None, FIRST)

    def find(self, token: str) -> Invitation:
        """What a link is for.

        Raises:
            InvitationInvalid: If it was used, has ended or never was.
        """
        with self._database.read() as db:
            link = link_row(db, token)
            if link.operator_id is None:
                return Invitation(None, link.expires_at)
            return Invitation(facts_of(db, live_row(db, link.operator_id)), link.expires_at)

    def accept(
        self, token: str, password: str, *, name: str | None = None, login: str | None = None
    ) -> OperatorFacts:
        """Set the password by a link, which is used up then.

        Args:
            token: Of the link.
            password: As it was typed.
            name: Of the first administrator; anybody may say how they are called.
            login: Of the first administrator.

        Raises:
            InvitationInvalid: If it was used, has ended or never was.
            InvalidRequest: If the password is guessed too easily, or the first administrator has no name.
            LoginExists: If somebody signs in by the first administrator's name.
        """
        found = self.find(token).operator
        names = [name or "", login or ""] if found is None else [name or found.name, found.login]
        check_password(password, names)
        # Outside of the line of writers: it takes a while.
        hashed = self._passwords.hash(password)
        with self._database.write() as db:
            link = link_row(db, token)
            row = live_row(db, link.operator_id) if link.operator_id else first_administrator(db, name, login)
            row.name = name or row.name
            row.password_hash = hashed
            db.execute(delete(OperatorLinkRow).where(OperatorLinkRow.token_digest == link.token_digest))
            sign_out(db, row)
            record(db, "operator.joined", Origin(f"{row.name} (operator {row.id})"), row)
            return facts_of(db, row)

    def end_all(self) -> int:
        """Let no link work any more; returns how many there were."""
        with self._database.write(ordered=False) as db:
            return len(db.scalars(delete(OperatorLinkRow).returning(OperatorLinkRow.token_digest)).all())

    def purge(self) -> int:
        """Forget links that have ended; returns how many."""
        old = OperatorLinkRow.expires_at <= utc_now()
        with self._database.write(ordered=False) as db:
            gone = db.scalars(delete(OperatorLinkRow).where(old).returning(OperatorLinkRow.token_digest))
            return len(gone.all())


def first_administrator(db: Session, name: str | None, login: str | None) -> OperatorRow:
    """The row of the first administrator.

    Raises:
        InvitationInvalid: If there is one by now.
        InvalidRequest: If the person has not said who they are.
    """
    if db.scalar(select(OperatorRow.id).where(can_administer()).limit(1)) is not None:
        raise InvitationInvalid
    if not name or not login:
        raise InvalidRequest("/body/login", "missing", "Your name and the name to sign in by are needed.")
    by = Origin("the link of the first administrator")
    return add_operator(db, uuid7(), OperatorTerms(login, name, Role.ADMINISTRATOR), by)


def new_link(db: Session, operator_id: UUID | None, lasts: timedelta) -> Link:
    """A link in place of the operator's former ones."""
    if operator_id is not None:
        db.execute(delete(OperatorLinkRow).where(OperatorLinkRow.operator_id == operator_id))
    token, now = secrets.token_urlsafe(32), utc_now()
    row = OperatorLinkRow(
        token_digest=digest_of(token), operator_id=operator_id, created_at=now, expires_at=now + lasts
    )
    db.add(row)
    db.flush()
    return Link(token, row.expires_at)


def link_row(db: Session, token: str) -> OperatorLinkRow:
    """The row of a link that works.

    Raises:
        InvitationInvalid: If it does not.
    """
    row = db.get(OperatorLinkRow, digest_of(token))
    if row is None or not is_in_force(row.created_at, row.expires_at, utc_now()):
        raise InvitationInvalid
    return row


def digest_of(token: str) -> str:
    """What is stored of a link."""
    return hashlib.sha256(b"invigil operator link\0" + token.encode(errors="replace")).hexdigest()
