"""One-time codes (TOTP, RFC 6238) as a second factor: optional, sealed at rest, and each of one use."""

import time
from dataclasses import dataclass
from hmac import compare_digest
from uuid import UUID

import pyotp
from sqlalchemy.orm import Session

from index.audit import Origin
from index.database.database import Database
from index.resealing import SealedTable
from index.sealing.cipher import TemplateCipher, build_binding
from index.tables import OperatorRow, SecondFactorRow
from service.access.operators import live_row, record, sign_out
from service.errors import InvalidRequest, NotReady

ISSUER = "Invigil"
STEP_SECONDS = 30
STEPS_BESIDE = 1
"""A clock may be half a minute off."""

SECOND_FACTORS = SealedTable(
    "second_factors",
    SecondFactorRow.operator_id,
    SecondFactorRow.operator_id,
    SecondFactorRow.sealed,
    SecondFactorRow.key_id,
    lambda _, row: binding_of(row.operator_id),
)


@dataclass(frozen=True)
class NewFactor:
    """What an app for one-time codes has to know; it cannot be had again.

    Attributes:
        secret: Base32, to be typed.
        uri: The same as a link (otpauth:).
    """

    secret: str
    uri: str


class SecondFactors:
    """The second factors in the database."""

    def __init__(self, database: Database, cipher: TemplateCipher | None) -> None:
        self._database = database
        self._cipher = cipher

    def begin(self, operator_id: UUID) -> NewFactor:
        """A new secret, which counts once a code has shown that the app has it.

        Raises:
            InvalidRequest: If there is a second factor already.
            NotReady: If there is no key to seal it with.
        """
        secret = pyotp.random_base32()
        sealed, key_id = self._ready().seal(binding_of(operator_id), secret.encode())
        with self._database.write() as db:
            row = live_row(db, operator_id)
            former = db.get(SecondFactorRow, operator_id)
            if former is not None and former.confirmed:
                raise InvalidRequest("/body", "there_already", "There is a second factor: remove it first.")
            db.merge(
                SecondFactorRow(
                    operator_id=operator_id, sealed=sealed, key_id=key_id, confirmed=False, last_step=None
                )
            )
        return NewFactor(secret, pyotp.TOTP(secret, name=row.login, issuer=ISSUER).provisioning_uri())

    def confirm(self, operator_id: UUID, code: str, by: Origin, keep: str | None) -> None:
        """Let the new secret count; every other page of the operator is signed out.

        Args:
            operator_id: Whose.
            code: That the app shows.
            by: The operator.
            keep: The digest of the page that asks.

        Raises:
            InvalidRequest: If nothing was begun, or the code is wrong.
        """
        with self._database.write() as db:
            row = live_row(db, operator_id)
            factor = db.get(SecondFactorRow, operator_id)
            if factor is None or factor.confirmed or not self.take(db, operator_id, code):
                raise InvalidRequest("/body/code", "wrong_code", "The code is wrong or too old.")
            factor.confirmed = True
            sign_out(db, row, but=keep)
            record(db, "operator.second_factor_added", by, row)

    def remove(self, operator_id: UUID, by: Origin, keep: str | None) -> None:
        """Ask for no code any more."""
        with self._database.write() as db:
            row = live_row(db, operator_id)
            factor = db.get(SecondFactorRow, operator_id)
            if factor is not None:
                db.delete(factor)
                sign_out(db, row, but=keep)
                record(db, "operator.second_factor_removed", by, row)

    def take(self, db: Session, operator_id: UUID, code: str) -> bool:
        """Whether the code is right, and was not used before; it is used then.

        Args:
            db: An ordered one of `Database.write`: of two at once one is right.
        """
        factor = db.get_one(SecondFactorRow, operator_id)
        opened = self._ready().open(operator_id, binding_of(operator_id), factor.sealed, factor.key_id)
        step = step_of(opened.decode(), code.strip(), time.time())
        if step is None or (factor.last_step is not None and step <= factor.last_step):
            return False
        factor.last_step = step
        return True

    def _ready(self) -> TemplateCipher:
        if self._cipher is None:
            raise NotReady({"template_key": "down"})
        return self._cipher


def asks_for_code(db: Session, row: OperatorRow) -> bool:
    """Whether the operator has a second factor that counts."""
    factor = db.get(SecondFactorRow, row.id)
    return factor is not None and factor.confirmed


def step_of(secret: str, code: str, now: float) -> int | None:
    """The time step whose code this is, of those that are near; None for a wrong code."""
    if not (code.isascii() and code.isdecimal()):
        return None
    totp = pyotp.TOTP(secret)
    here = int(now) // STEP_SECONDS
    near = range(here - STEPS_BESIDE, here + STEPS_BESIDE + 1)
    return next((step for step in near if compare_digest(totp.at(step * STEP_SECONDS), code)), None)


def binding_of(operator_id: UUID) -> bytes:
    """What a secret belongs to."""
    return build_binding("second_factor", operator_id)
