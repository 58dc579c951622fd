"""Kiosks: a tablet shows a code, an operator confirms it, and it is one of a session's; no key is typed.

The code is public: whoever stands at the tablet reads it. What the tablet is let in with is a secret that it
alone knows. The digests of both are kept until the code ends.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import delete, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.clock import is_in_force
from index.database.database import Database
from index.ids import uuid7
from index.tables import ApiKeyRow, utc_now
from service.access.keys import add_once, is_valid, new_row, revoke_row
from service.access.scopes import Scope
from service.access.sign_ins import network_of
from service.exams.audit import note
from service.exams.context import Desk
from service.exams.errors import CodeUnknown, KioskNotFound, PairingEnded, TooManyCodes
from service.exams.exams import exam_row
from service.exams.schemas import Session
from service.exams.sessions import session_document, session_row, unclosed_session
from service.exams.tables import KioskPairingRow, KioskSignRow

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without I and O, which look like digits."""
CODE_LETTERS = 8
CODE_LIFETIME = timedelta(minutes=10)
MOST_CODES = 500
"""Codes that wait at once; more are nobody's kiosks."""
MOST_CODES_OF_ADDRESS = 50
AWAY_AFTER = timedelta(seconds=60)
"""A kiosk gives a sign every 15 seconds."""

CameraState = Literal[
    "ok",
    "missing",
    "asking",
    "denied",
    "busy",
    "unsuitable",
    "insecure",
    "unsupported",
    "touch",
    "ended",
    "muted",
    "no_picture",
    "black",
    "frozen",
]


@dataclass(frozen=True)
class NewCode:
    """What a tablet is told when it asks to be paired."""

    id: UUID
    code: str
    secret: str
    expires_at: datetime


class Asking(BaseModel):
    """A tablet that shows a code: what is known of it before it is let in."""

    address: str | None
    agent: str | None = Field(description="what the browser calls itself")
    asked_at: datetime
    expires_at: datetime


class Kiosk(BaseModel):
    """A kiosk of a session, and its last sign."""

    id: UUID
    name: str
    session_id: UUID
    state: Literal["here", "away", "ended"]
    created_at: datetime
    expires_at: datetime | None
    seen_at: datetime | None = Field(description="its last sign, or its last request")
    camera: CameraState | None
    battery: float | None = Field(description="share that is left, where the browser says so")
    charging: bool | None


@dataclass(frozen=True)
class Sign:
    """What a kiosk says of itself."""

    camera: CameraState
    battery: float | None
    charging: bool | None


def ask_to_be_paired(database: Database, address: str | None, agent: str | None) -> NewCode:
    """A code for a tablet that wants to be a kiosk.

    Raises:
        TooManyCodes: If as many wait as may, from this address or in all.
    """
    now, secret = utc_now(), secrets.token_urlsafe(32)
    code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LETTERS))
    row = KioskPairingRow(
        id=uuid7(),
        code_digest=digest_of(code),
        secret_digest=digest_of(secret),
        address=address,
        agent=agent,
        created_at=now,
        expires_at=now + CODE_LIFETIME,
    )
    network = network_of(address)
    with database.write() as db:
        db.execute(delete(KioskPairingRow).where(KioskPairingRow.expires_at <= now))
        waiting = db.scalars(select(KioskPairingRow.address)).all()
        # Whoever has one address of IPv6 has a network of them.
        mine = sum(network_of(one) == network for one in waiting)
        if mine >= MOST_CODES_OF_ADDRESS or len(waiting) >= MOST_CODES:
            raise TooManyCodes(int(CODE_LIFETIME.total_seconds()))
        db.add(row)
    return NewCode(row.id, code, secret, row.expires_at)


def look_at_code(desk: Desk, code: str) -> Asking:
    """Which tablet shows a code; that confirms nothing.

    Raises:
        CodeUnknown: If none does, or it has ended or been confirmed.
    """
    with desk.database.read() as db:
        row = waiting_row(db, code)
        return Asking(
            address=row.address, agent=row.agent, asked_at=row.created_at, expires_at=row.expires_at
        )


def confirm(desk: Desk, session_id: UUID, code: str, name: str, origin: Origin) -> Kiosk:
    """Let the tablet that shows the code be a kiosk of the session; it fetches its key by itself.

    Raises:
        SessionNotFound: If there is no such session.
        ExamArchived, SessionClosed: If it is over.
        CodeUnknown: If no tablet shows the code, or somebody has confirmed it.
    """
    with desk.database.write() as db:
        session, now = unclosed_session(db, session_id), utc_now()
        row = waiting_row(db, code)
        row.session_id, row.name, row.confirmed_by = session_id, name, origin.actor
        note(
            db,
            "kiosk.confirmed",
            origin,
            exam_id=session.exam_id,
            session_id=session_id,
            key_id=row.id,
            address=row.address,
        )
        return Kiosk(
            id=row.id,
            name=name,
            session_id=session_id,
            state="away",
            created_at=now,
            expires_at=session.closes_at,
            seen_at=None,
            camera=None,
            battery=None,
            charging=None,
        )


def waiting_row(db: OrmSession, code: str) -> KioskPairingRow:
    """The pairing of a code that nobody has confirmed; raises `CodeUnknown`."""
    letters = "".join(one for one in code.upper() if one.isalpha())
    row = db.scalar(select(KioskPairingRow).where(KioskPairingRow.code_digest == digest_of(letters)))
    if row is None or row.session_id is not None or not is_current(row):
        raise CodeUnknown
    return row


def is_current(row: KioskPairingRow) -> bool:
    """Whether a code has not ended."""
    return is_in_force(row.created_at, row.expires_at, utc_now())


def collect(database: Database, pairing_id: UUID, secret: str, request_id: str | None) -> str | None:
    """The key of a tablet whose code was confirmed, once; None while nobody has.

    Raises:
        PairingEnded: If the code has ended, or its key was given out.
        SessionClosed, ExamArchived, SessionNotFound: If the session is over meanwhile.
    """
    with database.write() as db:
        row = db.get(KioskPairingRow, pairing_id)
        known = hmac.compare_digest(row.secret_digest if row else "", digest_of(secret))
        if row is None or not known or row.collected_at is not None or not is_current(row):
            raise PairingEnded
        if row.session_id is None:
            return None
        session = unclosed_session(db, row.session_id)
        key, text = new_row(row.name or "kiosk", (Scope.CHECKIN,), row.id)
        key.session_id, key.expires_at = session.id, session.closes_at
        add_once(db, key, row.confirmed_by or "kiosk", request_id)
        row.collected_at = utc_now()
        return text


def session_of_kiosk(desk: Desk, key_id: UUID) -> Session | None:
    """The session of a kiosk, also when both are over; None where somebody ended the kiosk."""
    with desk.database.read() as db:
        key = db.get(ApiKeyRow, key_id)
        if key is None or key.revoked_at is not None or key.session_id is None:
            return None
        row = session_row(db, key.session_id)
        return session_document(desk, db, row, exam_row(db, row.exam_id))


def kiosks_of(desk: Desk, session_id: UUID) -> list[Kiosk]:
    """The kiosks of a session in the order they were made, ended ones too.

    Raises:
        SessionNotFound: If there is no such session.
    """
    query = (
        select(ApiKeyRow, KioskSignRow)
        .outerjoin(KioskSignRow, KioskSignRow.key_id == ApiKeyRow.id)
        .where(ApiKeyRow.session_id == session_id)
        .order_by(ApiKeyRow.id)
    )
    with desk.database.read() as db:
        session_row(db, session_id)
        now = utc_now()
        return [kiosk_document(key, sign, now) for key, sign in db.execute(query)]


def kiosk_document(key: ApiKeyRow, sign: KioskSignRow | None, now: datetime) -> Kiosk:
    """A kiosk's key and its last sign."""
    seen_at = max((at for at in (key.last_used_at, sign and sign.at) if at), default=None)
    is_here = sign is not None and now - sign.at < AWAY_AFTER
    return Kiosk(
        id=key.id,
        name=key.name,
        session_id=key.session_id,  # type: ignore[arg-type]
        state=("here" if is_here else "away") if is_valid(key, now) else "ended",
        created_at=key.created_at,
        expires_at=key.expires_at,
        seen_at=seen_at,
        camera=sign.camera if sign else None,  # type: ignore[arg-type]
        battery=sign.battery if sign else None,
        charging=sign.charging if sign else None,
    )


def rename_kiosk(desk: Desk, session_id: UUID, kiosk_id: UUID, name: str, origin: Origin) -> Kiosk:
    """Call a kiosk by another name; what it has recorded keeps the former one.

    Raises:
        KioskNotFound: If the session has no such kiosk.
    """
    with desk.database.write() as db:
        key = kiosk_row(db, session_id, kiosk_id)
        key.name = name
        note(db, "kiosk.renamed", origin, session_id=session_id, key_id=kiosk_id)
        return kiosk_document(key, db.get(KioskSignRow, kiosk_id), utc_now())


def end_kiosk(desk: Desk, session_id: UUID, kiosk_id: UUID, origin: Origin) -> Kiosk:
    """End a kiosk at once; one that has ended stays as it is.

    Raises:
        KioskNotFound: If the session has no such kiosk.
    """
    with desk.database.write() as db:
        key = kiosk_row(db, session_id, kiosk_id)
        if key.revoked_at is None:
            revoke_row(db, key, actor=origin.actor, request_id=origin.request_id)
        return kiosk_document(key, db.get(KioskSignRow, kiosk_id), utc_now())


def kiosk_row(db: OrmSession, session_id: UUID, kiosk_id: UUID) -> ApiKeyRow:
    """The key of a session's kiosk; raises `KioskNotFound`."""
    key = db.get(ApiKeyRow, kiosk_id)
    if key is None or key.session_id != session_id:
        raise KioskNotFound(kiosk_id)
    return key


def give_sign(desk: Desk, key_id: UUID, sign: Sign) -> None:
    """Note that a kiosk is there, and how it fares."""
    values = {"at": utc_now(), "camera": sign.camera, "battery": sign.battery, "charging": sign.charging}
    with desk.database.write() as db:
        row = db.get(KioskSignRow, key_id)
        if row is None:
            db.add(KioskSignRow(key_id=key_id, **values))
        else:
            for name, value in values.items():
                setattr(row, name, value)


def end_codes(database: Database) -> None:
    """Let no code be confirmed or collected any more: in an older database one may be that was."""
    with database.write(ordered=False) as db:
        db.execute(delete(KioskPairingRow))


def purge_codes(database: Database) -> int:
    """Forget codes that have ended; returns how many."""
    with database.write(ordered=False) as db:
        ended = delete(KioskPairingRow).where(KioskPairingRow.expires_at <= utc_now())
        return len(db.scalars(ended.returning(KioskPairingRow.id)).all())


def digest_of(secret: str) -> str:
    """What is stored of a code or a tablet's secret."""
    return hashlib.sha256(b"invigil pairing\0" + secret.encode()).hexdigest()
