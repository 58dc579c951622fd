"""Templates at rest, encrypted with one key.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce before each ciphertext. The template's id is
authenticated with it, so that one person's bytes cannot be put in another's row.
"""

import base64
import binascii
import hashlib
import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from index.errors import KeyInvalid, TemplateUnreadable

KEY_BYTES = 32
_NONCE_BYTES = 12


class TemplateCipher:
    """Seals and opens the vectors of one installation."""

    def __init__(self, key: bytes) -> None:
        """Take a key of 32 bytes.

        Raises:
            KeyInvalid: If it has another length.
        """
        if len(key) != KEY_BYTES:
            raise KeyInvalid
        self._aes = AESGCM(key)
        # Names the key in a row without telling anything about it.
        self.key_id = hashlib.sha256(b"invigil template key" + key).hexdigest()[:16]

    @classmethod
    def from_text(cls, text: str) -> "TemplateCipher":
        """Take a key as an operator writes it: 64 hexadecimal digits, or base64 (either alphabet).

        Raises:
            KeyInvalid: If it is neither.
        """
        text = text.strip()
        try:
            if len(text) == 2 * KEY_BYTES:
                return cls(bytes.fromhex(text))
            padded = text + "=" * (-len(text) % 4)
            return cls(base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True))
        except (ValueError, binascii.Error) as error:
            raise KeyInvalid from error

    def seal(self, template_id: UUID, vector: bytes) -> bytes:
        """The nonce and the encrypted bytes: 28 bytes more than given."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, vector, template_id.bytes)

    def open(self, template_id: UUID, sealed: bytes) -> bytes:
        """What was sealed under this id.

        Raises:
            TemplateUnreadable: If the bytes were changed, or sealed with another key or for another template.
        """
        try:
            return self._aes.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], template_id.bytes)
        except (InvalidTag, ValueError) as error:
            raise TemplateUnreadable(template_id, "its bytes were changed") from error
