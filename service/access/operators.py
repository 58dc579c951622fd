"""Operators: the people who work with the pages, each in their own name.

Nobody is deleted: decisions name them. Whoever is ended, or whose role changes, is signed out in the same
transaction, and so loses pages and boards in every process at once.
"""

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from index import audit
from index.audit import Origin
from index.database.database import Database
from index.tables import OperatorLinkRow, OperatorRow, PageSessionRow, SecondFactorRow, utc_now
from index.trail.anchor_lines import OPERATOR_CHANGED, OPERATOR_ENDED, OPERATOR_RESET
from service.access.callers import Caller
from service.access.rates import Rates
from service.access.roles import BY_EXAM, SCOPES, Role
from service.errors import (
    InvalidRequest,
    LastAdministrator,
    LoginExists,
    OperatorEnded,
    OperatorNotFound,
    Unauthenticated,
)


@dataclass(frozen=True)
class OperatorFacts:
    """What may be told about an operator.

    Attributes:
        login: The name to sign in by.
        exam_ids: The only exams that the operator sees; None for all.
        has_password: Whether an invitation was taken up.
        has_second_factor: Whether a one-time code is asked for.
        issuer: Who signs this operator in, where it is an OpenID Connect issuer.
        invited_until: When the link ends that was sent and not used yet.
        version: Counts changes of what a sign-in rests on.
    """

    id: UUID
    login: str
    name: str
    role: Role
    exam_ids: tuple[UUID, ...] | None
    has_password: bool
    has_second_factor: bool
    issuer: str | None
    invited_until: datetime | None
    created_at: datetime
    last_signed_in_at: datetime | None
    ended_at: datetime | None
    version: int


@dataclass(frozen=True)
class OperatorTerms:
    """What an administrator says of an operator."""

    login: str
    name: str
    role: Role
    exam_ids: tuple[UUID, ...] | None = None


class Operators:
    """The operators in the database."""

    def __init__(self, database: Database, rates: Rates | None = None) -> None:
        self._database = database
        self._rates = rates or Rates(per_minute=None)

    def page(self, limit: int, after: UUID | None = None) -> list[OperatorFacts]:
        """Up to `limit` operators in the order they were made, after the one named; ended ones too."""
        query = select(OperatorRow).order_by(OperatorRow.id).limit(limit)
        if after is not None:
            query = query.where(OperatorRow.id > after)
        with self._database.read() as db:
            return [facts_of(db, row) for row in db.scalars(query)]

    def find(self, operator_id: UUID) -> OperatorFacts:
        """One operator.

        Raises:
            OperatorNotFound: If there is none.
        """
        with self._database.read() as db:
            return facts_of(db, operator_row(db, operator_id))

    def change(
        self,
        operator_id: UUID,
        by: Origin,
        *,
        name: str | None = None,
        role: Role | None = None,
        exam_ids: tuple[UUID, ...] | None = None,
        changes_exams: bool = False,
    ) -> OperatorFacts:
        """Change a name or what somebody may do; who may do something else now has to sign in again.

        Raises:
            OperatorNotFound, OperatorEnded: If there is nobody to change.
            InvalidRequest: If the role is not held to exams.
            LastAdministrator: If nobody would be left who can.
        """
        with self._database.write() as db:
            row = live_row(db, operator_id)
            before = {"role": row.role, "exam_ids": row.exam_ids}
            row.name = name or row.name
            row.role = role or row.role
            if changes_exams:
                row.exam_ids = texts_of(exam_ids)
            elif Role(row.role) not in BY_EXAM:
                row.exam_ids = None
            check_exams(Role(row.role), row.exam_ids)
            after = {"role": row.role, "exam_ids": row.exam_ids}
            if before != after:
                if before["role"] == Role.ADMINISTRATOR != row.role:
                    require_another_administrator(db, operator_id)
                sign_out(db, row)
            record(db, OPERATOR_CHANGED, by, row, before=before, after=after)
            return facts_of(db, row)

    def end(self, operator_id: UUID, by: Origin) -> OperatorFacts:
        """End an operator at once, in every process; who has been ended already stays as they are.

        Raises:
            OperatorNotFound: If there is no such operator.
            LastAdministrator: If nobody would be left who can invite anybody.
        """
        with self._database.write() as db:
            row = operator_row(db, operator_id)
            if row.ended_at is None:
                if row.role == Role.ADMINISTRATOR:
                    require_another_administrator(db, operator_id)
                end_row(db, row, by)
            return facts_of(db, row)

    def end_returned(self, operator_ids: Collection[UUID], by: Origin) -> int:
        """End again the operators who came back with an older database; returns how many.

        The last administrator, too: the next start prints a link for another one.

        Raises:
            DatabaseError: If it could not be written.
        """
        if not self.valid(operator_ids):
            return 0
        back = OperatorRow.id.in_(list(operator_ids)) & OperatorRow.ended_at.is_(None)
        with self._database.write() as db:
            rows = db.scalars(select(OperatorRow).where(back)).all()
            for row in rows:
                end_row(db, row, by)
            return len(rows)

    def reset_returned(self, seen: Collection[audit.EventSeen], by: Origin) -> int:
        """Forget the passwords of operators whose former password or role came back; returns how many.

        Nobody knows the newer ones: an administrator sends them a link, and sees their role.

        Raises:
            DatabaseError: If it could not be written.
        """
        with self._database.read() as db:
            lost = audit.find_lost_events(db, seen, action=OPERATOR_RESET)
        again = 0
        for one in lost:
            with self._database.write() as db:
                row = db.get(OperatorRow, one.subject_id)
                if row is None or row.ended_at is not None:
                    continue
                # Another process may have repeated it meanwhile.
                if audit.find_lost_events(db, [one], action=OPERATOR_RESET):
                    forget_credentials(db, row)
                    sign_out(db, row)
                    record(db, OPERATOR_RESET, by, row, again=one.digest)
                    again += 1
        return again

    def has_administrator(self) -> bool:
        """Whether somebody can sign in who may do everything."""
        with self._database.read() as db:
            return db.scalar(select(OperatorRow.id).where(can_administer()).limit(1)) is not None

    def signed_in(self, operator_id: UUID, seal: bytes, sign_in_id: UUID) -> Caller:
        """The caller for whom a page's session stands, as the operator is now.

        Raises:
            Unauthenticated: If the operator has been ended.
            RateLimited: If there were too many requests.
        """
        with self._database.read() as db:
            row = db.get(OperatorRow, operator_id)
        if row is None or row.ended_at is not None:
            raise Unauthenticated
        self._rates.take(row.id)
        exams = None if row.exam_ids is None else frozenset(map(UUID, row.exam_ids))
        return Caller(
            id=row.id,
            name=row.name,
            scopes=SCOPES[Role(row.role)],
            session_id=None,
            seal=seal,
            is_operator=True,
            exam_ids=exams,
            sign_in_id=sign_in_id,
        )

    def valid(self, operator_ids: Collection[UUID]) -> set[UUID]:
        """Which of these have not been ended."""
        query = select(OperatorRow.id).where(OperatorRow.id.in_(list(operator_ids)))
        with self._database.read() as db:
            return set(db.scalars(query.where(OperatorRow.ended_at.is_(None))))


def add_operator(db: Session, operator_id: UUID, terms: OperatorTerms, by: Origin) -> OperatorRow:
    """Write an operator, who cannot sign in yet; one that is there under the same id stays as it is.

    Raises:
        LoginExists: If somebody signs in by this name.
        InvalidRequest: If the role is not held to exams.
    """
    made = db.get(OperatorRow, operator_id)
    if made is not None:
        return made
    row = OperatorRow(
        id=operator_id,
        login=terms.login,
        login_key=login_key(terms.login),
        name=terms.name,
        role=str(terms.role),
        exam_ids=texts_of(terms.exam_ids),
        version=1,
        created_at=utc_now(),
    )
    check_exams(terms.role, row.exam_ids)
    require_free_login(db, row.login_key, terms.login)
    db.add(row)
    db.flush()
    record(db, "operator.created", by, row, role=row.role, exam_ids=row.exam_ids)
    return row


def operator_row(db: Session, operator_id: UUID) -> OperatorRow:
    """An operator's row.

    Raises:
        OperatorNotFound: If there is none.
    """
    row = db.get(OperatorRow, operator_id)
    if row is None:
        raise OperatorNotFound(operator_id)
    return row


def live_row(db: Session, operator_id: UUID) -> OperatorRow:
    """The row of an operator who has not been ended.

    Raises:
        OperatorNotFound, OperatorEnded: If there is none.
    """
    row = operator_row(db, operator_id)
    if row.ended_at is not None:
        raise OperatorEnded(row.name)
    return row


def login_key(login: str) -> str:
    """What sign-in names are compared by: as external ids are, by NFKC and case folding."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", login.strip()).casefold())


def require_free_login(db: Session, key: str, login: str) -> None:
    """Refuse a sign-in name that somebody has, or had: old decisions would be taken for another's.

    Raises:
        LoginExists: If so.
    """
    if db.scalar(select(OperatorRow.id).where(OperatorRow.login_key == key)) is not None:
        raise LoginExists(login)


def check_exams(role: Role, exam_ids: list[str] | None) -> None:
    """Refuse to hold a role to exams that does more than work at them.

    Raises:
        InvalidRequest: If so.
    """
    if exam_ids is not None and role not in BY_EXAM:
        raise InvalidRequest("/body/exam_ids", "not_by_exam", "Only invigilators are held to some exams.")


def can_administer() -> ColumnElement[bool]:
    """Administrators who have something to sign in with, and have not been ended."""
    can_sign_in = or_(OperatorRow.password_hash.is_not(None), OperatorRow.issuer_subject.is_not(None))
    return (OperatorRow.role == Role.ADMINISTRATOR) & OperatorRow.ended_at.is_(None) & can_sign_in


def require_another_administrator(db: Session, but: UUID) -> None:
    """Refuse to lose the last one; two who end each other stand in the line of writers.

    Raises:
        LastAdministrator: If there is no other.
    """
    others = select(func.count(OperatorRow.id)).where(can_administer(), OperatorRow.id != but)
    if not db.scalar(others):
        raise LastAdministrator


def end_row(db: Session, row: OperatorRow, by: Origin) -> None:
    """End an operator and every page they have open."""
    row.ended_at = utc_now()
    forget_credentials(db, row)
    sign_out(db, row)
    record(db, OPERATOR_ENDED, by, row)


def forget_credentials(db: Session, row: OperatorRow) -> None:
    """Leave nothing that anybody could sign in with."""
    row.password_hash = None
    db.execute(delete(SecondFactorRow).where(SecondFactorRow.operator_id == row.id))
    db.execute(delete(OperatorLinkRow).where(OperatorLinkRow.operator_id == row.id))


def sign_out(db: Session, row: OperatorRow, but: str | None = None) -> None:
    """End every page of the operator but the one of this digest; a sign-in that has begun fails."""
    row.version += 1
    mine = delete(PageSessionRow).where(PageSessionRow.operator_id == row.id)
    db.execute(mine if but is None else mine.where(PageSessionRow.id_digest != but))


def record(db: Session, action: str, by: Origin, row: OperatorRow, **details: object) -> None:
    """The audit event of a change; the operator's own name is not in it, but the id."""
    about = {"operator_id": str(row.id), **details}
    audit.record(db, action=action, actor=by.actor, request_id=by.request_id, details=about)


def texts_of(ids: Iterable[UUID] | None) -> list[str] | None:
    """Ids as JSON holds them."""
    return None if ids is None else sorted({str(one) for one in ids})


def facts_of(db: Session, row: OperatorRow) -> OperatorFacts:
    """A row without what signs in."""
    link = select(func.max(OperatorLinkRow.expires_at)).where(
        OperatorLinkRow.operator_id == row.id, OperatorLinkRow.expires_at > utc_now()
    )
    factor = db.get(SecondFactorRow, row.id)
    return OperatorFacts(
        id=row.id,
        login=row.login,
        name=row.name,
        role=Role(row.role),
        exam_ids=None if row.exam_ids is None else tuple(map(UUID, row.exam_ids)),
        has_password=row.password_hash is not None,
        has_second_factor=factor is not None and factor.confirmed,
        issuer=row.issuer,
        invited_until=db.scalar(link),
        created_at=row.created_at,
        last_signed_in_at=row.last_signed_in_at,
        ended_at=row.ended_at,
        version=row.version,
    )
