"""Encode vectors for the rows, and decode them to the form that a process compares."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.errors import KeyUnknown, TemplateUnreadable
from index.sealing.cipher import SealingKey, TemplateCipher, template_binding
from index.sealing.rotation import Rotation
from index.vectors import Vectors


class StoredVector(Protocol):
    """The columns needed to decode a template's row."""

    id: UUID
    subject_id: UUID
    model_id: str
    vector: bytes
    key_id: str | None


class Decoded(NamedTuple):
    """The vectors of the readable rows, and the errors of the others."""

    rows: Sequence[Any]
    vectors: Vectors  # (n, dim), of these rows
    unreadable: Sequence[tuple[Any, TemplateUnreadable]]


class VectorCodec:
    """Little-endian float32; with a cipher, rotated by the sealing key's rotation and then sealed.

    All vectors in memory have the rotation of the key that was sealing when the codec was created, whatever
    key their rows are sealed with: so all of them, and every probe, can be compared while rows are being
    resealed.
    """

    def __init__(self, cipher: TemplateCipher | None, dim: int) -> None:
        self.dim = dim
        self._cipher = cipher
        self._home: SealingKey | None = cipher.key if cipher else None

    @property
    def key_ids(self) -> list[str]:
        """The ids of the keys that open rows."""
        return [key.id for key in self._cipher.keys] if self._cipher else []

    def rotate(self, vector: Vectors) -> Vectors:
        """Rotate a model's own vector (dim,) to the form that this process compares."""
        return _apply(self._home.rotation(self.dim), vector) if self._home else vector

    def encode(self, binding: bytes, vector: Vectors) -> tuple[bytes, str | None]:
        """The bytes to store for a model's own vector, and the id of the key that opens them."""
        if self._cipher is None:
            return _to_bytes(vector), None
        return seal_vector(self._cipher.key, binding, vector)

    def decode_many(self, rows: Sequence[Any]) -> Vectors:
        """The vectors of some `StoredVector`s in the form that this process compares: (n, dim).

        Raises:
            TemplateUnreadable: If one cannot be opened or has another length.
        """
        decoded = self.decode_readable(rows)
        for _, error in decoded.unreadable:
            raise error
        return decoded.vectors

    def decode_readable(self, rows: Sequence[Any]) -> Decoded:
        """`decode_many` for those rows that can be opened."""
        opened, plain, unreadable = [], [], []
        for row in rows:
            try:
                plain.append(self._open(row))
            except TemplateUnreadable as error:
                unreadable.append((row, error))
            else:
                opened.append(row)
        vectors = np.frombuffer(b"".join(plain), dtype="<f4").reshape(-1, self.dim)
        return Decoded(opened, self._align_rotations(vectors, [row.key_id for row in opened]), unreadable)

    def _open(self, row: StoredVector) -> bytes:
        if self._cipher is not None:
            binding = template_binding(row.id, row.subject_id, row.model_id)
            plain = self._cipher.open(row.id, binding, row.vector, row.key_id)
        elif row.key_id is None:
            plain = row.vector
        else:
            raise KeyUnknown(row.id, f"it is encrypted with key {row.key_id} and no key is set")
        if len(plain) != 4 * self.dim:
            raise TemplateUnreadable(row.id, f"it has {len(plain)} bytes instead of {4 * self.dim}")
        return plain

    def _align_rotations(self, vectors: Vectors, key_ids: Sequence[str | None]) -> Vectors:
        """Change vectors rotated by other keys to this process's rotation."""
        home = self._home
        if self._cipher is None or home is None or all(key_id == home.id for key_id in key_ids):
            return vectors
        vectors = vectors.copy()
        for row, key_id in enumerate(key_ids):
            key = self._cipher.find_key(key_id) if key_id and key_id != home.id else None
            if key is not None:
                own = key.rotation(self.dim).T @ vectors[row].astype(np.float64)
                vectors[row] = _apply(home.rotation(self.dim), own)
        return vectors


def seal_vector(key: SealingKey, binding: bytes, vector: Vectors) -> tuple[bytes, str]:
    """Rotate and seal a model's own vector; also returns the key's id."""
    rotated = _apply(key.rotation(len(vector)), vector)
    return key.seal(binding, _to_bytes(rotated)), key.id


def undo_rotation(key: SealingKey, vector: Vectors) -> Vectors:
    """Undo this key's rotation, which gives the model's own vector."""
    return _apply(key.rotation(len(vector)).T, vector)


def _apply(rotation: Rotation, vector: NDArray[np.floating[Any]]) -> Vectors:
    # In float64, so that rotating there and back is exact to about the last float32 digit.
    return (rotation @ vector.astype(np.float64)).astype(np.float32)


def _to_bytes(vector: Vectors) -> bytes:
    return vector.astype("<f4").tobytes()
