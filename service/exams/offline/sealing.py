"""What a kiosk takes without network is sealed in its page, with a key that only the server can undo.

HPKE (RFC 9180), base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; `web/static/js/kiosk/hpke.js`
is the other side. An item is

    version (1 byte) │ session (16) │ HPKE: encapsulated key (65), ciphertext
    opened:  length of the facts (4, big-endian) │ facts (JSON, UTF-8) │ picture

The info binds session and item: moved to another place in a queue or to another session's, it does not open.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session as OrmSession

from index.database.database import Database
from index.resealing import SealedTable
from index.sealing.cipher import build_binding
from index.tables import utc_now
from service.access.keys import DELIVERY
from service.exams.context import Desk
from service.exams.errors import QueueOfAnotherSession, QueueUnreadable
from service.exams.tables import QueueKeyRow, SessionRow
from service.fields import Label, Moment, ShortLabel

SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
CURVE = ec.SECP256R1()
SCALAR_BYTES = 32
VERSION = b"\x01"
HEAD_BYTES = 1 + 16
LENGTH_BYTES = 4
LONGEST_FACTS = 8_192
LONGEST_OFFLINE_MS = 7 * 86_400_000

QUEUE_KEYS = SealedTable(
    "queue_keys",
    QueueKeyRow.session_id,
    QueueKeyRow.session_id,
    QueueKeyRow.sealed,
    QueueKeyRow.key_id,
    lambda _, row: queue_key_binding(row.session_id),
)


class Facts(BaseModel):
    """What a kiosk says of a picture that it took without network."""

    model_config = ConfigDict(extra="forbid")

    candidate: Label
    contact_at: Moment
    since_contact_ms: Annotated[int, Field(ge=0, le=LONGEST_OFFLINE_MS)]
    client_time: Moment
    time_estimated: bool = False
    provisional: bool
    kiosk: ShortLabel | None = None


@dataclass(frozen=True)
class Opened:
    """One item of a queue, opened."""

    facts: Facts
    picture: bytes


def queue_key_binding(session_id: UUID) -> bytes:
    """What the private key of a session's queues belongs to."""
    return build_binding("queue key", session_id)


def public_key_of(db: OrmSession, desk: Desk, session_id: UUID) -> bytes | None:
    """The public key of a session's queues, an uncompressed point; made when it is first asked for.

    None where nothing can be sealed at rest, and so nothing is taken without network. A writer's transaction.
    """
    row = db.get(QueueKeyRow, session_id)
    if row is None:
        if desk.cipher is None:
            return None
        private = ec.generate_private_key(CURVE)
        scalar = private.private_numbers().private_value.to_bytes(SCALAR_BYTES)
        sealed, key_id = desk.cipher.seal(queue_key_binding(session_id), scalar)
        public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        row = QueueKeyRow(
            session_id=session_id, public=public, sealed=sealed, key_id=key_id, created_at=utc_now()
        )
        db.add(row)
        db.flush()
    return row.public


def private_key_of(db: OrmSession, desk: Desk, session_id: UUID) -> ec.EllipticCurvePrivateKey:
    """The private key of a session's queues.

    Raises:
        QueueUnreadable: If there is none, or no longer.
        TemplateUnreadable: If it was sealed with a key that is not there.
    """
    row = db.get(QueueKeyRow, session_id)
    if row is None or desk.cipher is None:
        raise QueueUnreadable
    scalar = desk.cipher.open(session_id, queue_key_binding(session_id), row.sealed, row.key_id)
    return ec.derive_private_key(int.from_bytes(scalar), CURVE)


def info_of(session_id: UUID, item: str) -> bytes:
    """What an item is bound to."""
    return f"invigil queue/1 {session_id} {item}".encode()


def seal_item(public: bytes, session_id: UUID, item: str, facts: bytes, picture: bytes) -> bytes:
    """An item as a kiosk seals it: for tests and for kiosks that are no page of ours."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, public)
    plain = len(facts).to_bytes(LENGTH_BYTES) + facts + picture
    return VERSION + session_id.bytes + SUITE.encrypt(plain, key, info=info_of(session_id, item))


def open_item(private: ec.EllipticCurvePrivateKey, session_id: UUID, item: str, sealed: bytes) -> Opened:
    """What is in an item.

    Raises:
        QueueUnreadable: If it does not open, or holds no attempt.
    """
    try:
        plain = SUITE.decrypt(sealed[HEAD_BYTES:], private, info=info_of(session_id, item))
    except (InvalidTag, ValueError) as error:
        raise QueueUnreadable from error
    length = int.from_bytes(plain[:LENGTH_BYTES])
    end = LENGTH_BYTES + length
    if not 0 < length <= min(LONGEST_FACTS, len(plain) - LENGTH_BYTES):
        raise QueueUnreadable
    try:
        facts = Facts.model_validate_json(plain[LENGTH_BYTES:end])
    except ValidationError as error:
        raise QueueUnreadable from error
    return Opened(facts, plain[end:])


def require_session_of(sealed: bytes, session_id: UUID) -> None:
    """Refuse an item that was sealed for another session.

    Raises:
        QueueUnreadable: If it is no item.
        QueueOfAnotherSession: If its head names another session.
    """
    if len(sealed) <= HEAD_BYTES or sealed[:1] != VERSION:
        raise QueueUnreadable
    if sealed[1:HEAD_BYTES] != session_id.bytes:
        raise QueueOfAnotherSession


def purge_queue_keys(database: Database) -> int:
    """Forget the keys of queues that nobody may deliver any more; returns how many.

    Whatever a lost tablet still holds is then closed for good, to everybody.
    """
    over = select(SessionRow.id).where(SessionRow.closes_at <= utc_now() - DELIVERY)
    with database.write(ordered=False) as db:
        gone = delete(QueueKeyRow).where(QueueKeyRow.session_id.in_(over)).returning(QueueKeyRow.session_id)
        return len(db.scalars(gone).all())
