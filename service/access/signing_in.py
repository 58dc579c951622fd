"""Signing in with a name, a password and, where there is a second factor, a one-time code."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from index.audit import Origin
from index.database.database import Database
from index.ids import uuid7
from index.tables import OperatorRow, utc_now
from index.trail.anchor_lines import OPERATOR_CHANGED, PASSWORD_CHANGED
from service.access.issuer_terms import Identity
from service.access.operators import (
    OperatorFacts,
    OperatorTerms,
    add_operator,
    facts_of,
    live_row,
    login_key,
    record,
    sign_out,
)
from service.access.passwords import Passwords, check_password
from service.access.second_factors import SecondFactors, asks_for_code
from service.access.sign_ins import SignIns
from service.errors import CodeNeeded, InvalidRequest, RateLimited, SignInRefused
from service.logs import log

LONGEST_NAME = 100
BY_ISSUER = Origin("the OpenID Connect issuer")


class SigningIn:
    """Finds out who somebody is."""

    def __init__(
        self, database: Database, passwords: Passwords, sign_ins: SignIns, factors: SecondFactors
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._sign_ins = sign_ins
        self._factors = factors

    def sign_in(self, login: str, password: str, code: str | None, address: str | None) -> OperatorFacts:
        """The operator whose name, password and code these are.

        Raises:
            SignInRefused: If one of them is wrong, or the operator has been ended.
            CodeNeeded: If the password is right and a code is missing.
            SignInsExhausted: If there were too many wrong ones.
            QueueFull: If too many sign in at once.
        """
        key = login_key(login)
        attempt = self._begin(key, address)
        with self._database.read() as db:
            row = db.scalar(select(OperatorRow).where(OperatorRow.login_key == key))
            wants_code = row is not None and asks_for_code(db, row)
        stored = row.password_hash if row is not None and row.ended_at is None else None
        if not self._passwords.verify(stored, password) or row is None or stored is None:
            log.warning("sign_in_refused", page="console", address=address)
            raise SignInRefused
        if wants_code and not code:
            # No failure: who comes so far is asked for the code next, which is counted then.
            self._sign_ins.forget(attempt)
            raise CodeNeeded
        found = self._enter(row, code if wants_code else None, password, address)
        self._sign_ins.succeed(attempt)
        return found

    def sign_in_by_issuer(self, identity: Identity) -> OperatorFacts:
        """The operator of an issuer, with the role that it gives now; a new one where there was none.

        Raises:
            SignInRefused: If the operator was ended here, whatever the issuer says.
        """
        with self._database.write() as db:
            known = (OperatorRow.issuer == identity.issuer) & (OperatorRow.issuer_subject == identity.subject)
            row = db.scalar(select(OperatorRow).where(known)) or add_identity(db, identity)
            if row.ended_at is not None:
                log.warning("sign_in_refused", page="console", operator_id=str(row.id), reason="ended")
                raise SignInRefused
            if row.role != identity.role:
                record(db, OPERATOR_CHANGED, BY_ISSUER, row, before=row.role, after=identity.role)
                row.role, row.exam_ids = identity.role, None
                sign_out(db, row)
            row.name = identity.name[:LONGEST_NAME]
            note_sign_in(db, row)
            return facts_of(db, row)

    def change_password(
        self, operator_id: UUID, former: str, password: str, by: Origin, address: str | None, keep: str | None
    ) -> OperatorFacts:
        """Set another password; every other page of the operator is signed out.

        Args:
            operator_id: Whose.
            former: The password of now: whoever sits at an open page does not take the account over.
            password: The new one.
            by: The operator.
            address: From where; wrong passwords count as at a sign-in.
            keep: The digest of the page that asks.

        Raises:
            InvalidRequest: If the former one is wrong, or the new one is guessed too easily.
            SignInsExhausted: If there were too many wrong ones.
        """
        self.require_password(operator_id, former, address, "/body/former")
        with self._database.read() as db:
            row = live_row(db, operator_id)
        check_password(password, [row.name, row.login])
        hashed = self._passwords.hash(password)
        with self._database.write() as db:
            row = live_row(db, operator_id)
            row.password_hash = hashed
            sign_out(db, row, but=keep)
            record(db, PASSWORD_CHANGED, by, row)
            return facts_of(db, row)

    def require_password(self, operator_id: UUID, password: str, address: str | None, field: str) -> None:
        """Refuse whoever does not know the operator's password.

        Raises:
            InvalidRequest: If it is wrong, or there is none.
            SignInsExhausted: If there were too many wrong ones.
        """
        with self._database.read() as db:
            row = live_row(db, operator_id)
        attempt = self._begin(row.login_key, address)
        if not self._passwords.verify(row.password_hash, password):
            raise InvalidRequest(field, "wrong_password", "The password is wrong.")
        self._sign_ins.forget(attempt)

    def _begin(self, key: str, address: str | None) -> UUID:
        try:
            return self._sign_ins.begin(key, address)
        except RateLimited:
            log.warning("sign_ins_exhausted", address=address)
            raise

    def _enter(
        self, seen: OperatorRow, code: str | None, password: str, address: str | None
    ) -> OperatorFacts:
        """Write that somebody has signed in, unless the account has changed since its password was looked at.

        Raises:
            SignInRefused: If so, or the code is wrong or was used.
        """
        stored = seen.password_hash or ""
        renewed = self._passwords.hash(password) if self._passwords.is_outdated(stored) else stored
        with self._database.write() as db:
            row = live_row(db, seen.id)
            if row.version != seen.version:
                raise SignInRefused
            if code is not None and not self._factors.take(db, row.id, code):
                log.warning("sign_in_refused", page="console", operator_id=str(row.id), address=address)
                raise SignInRefused
            row.password_hash = renewed
            note_sign_in(db, row)
            return facts_of(db, row)


def add_identity(db: Session, identity: Identity) -> OperatorRow:
    """Write an operator whom an issuer has brought. Nobody takes over an account by having its name there."""
    login = identity.login[:LONGEST_NAME]
    taken = db.scalar(select(OperatorRow.id).where(OperatorRow.login_key == login_key(login))) is not None
    name = f"{identity.subject}@{identity.issuer}"[:255] if taken else login
    terms = OperatorTerms(name, identity.name[:LONGEST_NAME], identity.role)
    row = add_operator(db, uuid7(), terms, BY_ISSUER)
    row.issuer, row.issuer_subject = identity.issuer, identity.subject
    db.flush()
    return row


def note_sign_in(db: Session, row: OperatorRow) -> None:
    """Write down that the operator has come."""
    row.last_signed_in_at = utc_now()
    record(db, "operator.signed_in", Origin(f"{row.name} (operator {row.id})"), row)
