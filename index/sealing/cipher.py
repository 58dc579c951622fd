"""Templates at rest: sealed with a key, bound to their owner, and rotated by a secret matrix.

Sealing is AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce before each ciphertext. The owner of the
bytes is authenticated with them: moved to another person's or another model's row, they do not open.

An installation may have several keys. The first one seals; each opens what it has sealed, so a key can be
replaced while the service runs (`index/resealing.py`).
"""

import base64
import binascii
import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from index.errors import KeyInvalid, KeyUnknown, TemplateUnreadable
from index.sealing.rotation import Rotation, draw_rotation

KEY_BYTES = 32
_NONCE_BYTES = 12

KeySource = Callable[[], Sequence[bytes] | None]
"""Returns the current keys, the sealing one first, or None if they have not changed since the last call."""


def build_binding(kind: str, *names: object) -> bytes:
    """The associated data that binds sealed bytes to the kind of row, its id and its owner."""
    return json.dumps([kind, *map(str, names)]).encode()


def template_binding(template_id: UUID, subject_id: UUID, model_id: str) -> bytes:
    """The associated data of a template's vector."""
    return build_binding("template", template_id, subject_id, model_id)


def parse_key(text: str) -> bytes:
    """Parse a key as an operator writes it: 64 hexadecimal digits, or base64 (either alphabet).

    Raises:
        KeyInvalid: If it is neither, or does not have 32 bytes.
    """
    text = text.strip()
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text)
        padded = text + "=" * (-len(text) % 4)
        key = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise KeyInvalid from error
    if len(key) != KEY_BYTES:
        raise KeyInvalid
    return key


class SealingKey:
    """One key. Each purpose has its own key, derived with HKDF (RFC 5869).

    Attributes:
        id: Names the key in a row and reveals nothing about it.
        former_id: The id in rows from before rows were bound to their owner.
        mac_key: Authenticates data outside the database.
    """

    def __init__(self, key: bytes) -> None:
        """Take a key of 32 bytes.

        Raises:
            KeyInvalid: If it has another length.
        """
        if len(key) != KEY_BYTES:
            raise KeyInvalid
        self.id = hashlib.sha256(b"invigil sealing key" + key).hexdigest()[:16]
        self.former_id = hashlib.sha256(b"invigil template key" + key).hexdigest()[:16]
        self.mac_key = _derive(key, b"invigil anchor")
        self._aes = AESGCM(_derive(key, b"invigil seal"))
        self._former_aes = AESGCM(key)
        self._rotation_seed = _derive(key, b"invigil rotation")

    def seal(self, binding: bytes, plain: bytes) -> bytes:
        """The nonce and the ciphertext: 28 bytes more than the plain text."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, plain, binding)

    def open(self, binding: bytes, sealed: bytes) -> bytes:
        """What was sealed.

        Raises:
            InvalidTag: If it was changed, or sealed for something else.
        """
        return _decrypt(self._aes, sealed, binding)

    def open_former(self, row_id: UUID, sealed: bytes) -> bytes:
        """Open a row from before rows were bound to their owner; raises as `open`."""
        return _decrypt(self._former_aes, sealed, row_id.bytes)

    def rotation(self, dim: int) -> Rotation:
        """The secret rotation for this key's vectors."""
        return draw_rotation(self._rotation_seed, dim)


class TemplateCipher:
    """Seals and opens the rows of one installation. Thread-safe."""

    def __init__(self, key: bytes, *former: bytes, source: KeySource = lambda: None) -> None:
        """Take the key that seals, and the keys that only open.

        Args:
            key: 32 bytes.
            former: Keys that rows may still be sealed with.
            source: Called before each sealing, and for an unknown key, to check for changed keys.

        Raises:
            KeyInvalid: If one has another length.
        """
        self._keys = tuple(SealingKey(one) for one in (key, *former))
        self._source = source
        self._refreshing = threading.Lock()

    @classmethod
    def from_text(cls, text: str) -> "TemplateCipher":
        """Take one key, or several separated by commas or white space, the sealing one first.

        Raises:
            KeyInvalid: If one is not a key, or there is none.
        """
        keys = [parse_key(one) for one in text.replace(",", " ").split()]
        if not keys:
            raise KeyInvalid
        return cls(*keys)

    @property
    def key_id(self) -> str:
        """The id of the key that seals."""
        return self.key.id

    @property
    def key(self) -> SealingKey:
        """The key that seals now."""
        self._refresh()
        return self._keys[0]

    @property
    def keys(self) -> tuple[SealingKey, ...]:
        """Every key, the sealing one first."""
        self._refresh()
        return self._keys

    def find_key(self, key_id: str) -> SealingKey | None:
        """The key with this id, if it is known."""
        found = _find_key(self._keys, key_id)
        return found or _find_key(self.keys, key_id)

    def seal(self, binding: bytes, plain: bytes) -> tuple[bytes, str]:
        """The sealed bytes and the id of the key that opens them."""
        key = self.key
        return key.seal(binding, plain), key.id

    def open(self, row_id: UUID, binding: bytes, sealed: bytes, key_id: str | None) -> bytes:
        """Open bytes sealed for this owner.

        Raises:
            TemplateUnreadable: If they were changed, sealed for something else or with an unknown key, or are
                not sealed at all.
        """
        key = self.find_key(key_id) if key_id else None
        if key is None:
            raise KeyUnknown(row_id, self._why_unknown(key_id))
        try:
            return key.open(binding, sealed)
        except (InvalidTag, ValueError) as error:
            raise TemplateUnreadable(row_id, "its bytes or its owner were changed") from error

    def _why_unknown(self, key_id: str | None) -> str:
        former = "`invigil db reseal --from-before` seals rows of before, if you know that they are"
        if key_id is None:
            return f"it is not encrypted although there is a key; {former}"
        if any(key.former_id == key_id for key in self._keys):
            return f"it is not bound to its owner; {former}"
        return f"it is encrypted with key {key_id}, the key that is set is {self._keys[0].id}"

    def _refresh(self) -> None:
        with self._refreshing:
            keys = self._source()
            if keys:
                self._keys = tuple(SealingKey(one) for one in keys)


def _find_key(keys: Sequence[SealingKey], key_id: str) -> SealingKey | None:
    return next((key for key in keys if key.id == key_id), None)


def _derive(key: bytes, use: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=use).derive(key)


def _decrypt(aes: AESGCM, sealed: bytes, binding: bytes) -> bytes:
    return aes.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], binding)
