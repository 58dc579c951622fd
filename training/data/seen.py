"""What a network was trained on, so that calibration and evaluation use none of it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from embedding.files import write_file
from training.errors import IdentityTrained, PictureTrained

FILE = "seen.json"
"""File in a run folder."""


def digest(picture: bytes) -> str:
    """Identify a picture by its bytes: SHA-256, hexadecimal."""
    return hashlib.sha256(picture).hexdigest()


@dataclass(frozen=True)
class Seen:
    """Identities and pictures of a training split, including those without a label.

    Attributes:
        identities: Labels.
        digests: Digests of the pictures, since the same picture may appear under another label, or under
            none.
    """

    identities: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()

    @classmethod
    def of(cls, identities: Iterable[str], pictures: Iterable[bytes]) -> Self:
        """Of labels (empty ones are left out) and pictures."""
        return cls(frozenset(identities) - {""}, frozenset(map(digest, pictures)))

    @classmethod
    def read(cls, run: Path) -> Self:
        """Read the record in a run folder; FileNotFoundError if there is none."""
        content = json.loads((run / FILE).read_text(encoding="utf-8"))
        return cls(frozenset(content["identities"]), frozenset(content["digests"]))

    @classmethod
    def join(cls, several: "Iterable[Seen]") -> "Seen":
        """What several networks have seen together."""
        all_of = list(several)
        identities = frozenset(identity for seen in all_of for identity in seen.identities)
        return cls(identities, frozenset(digest for seen in all_of for digest in seen.digests))

    def write(self, run: Path) -> None:
        """Into a run folder."""
        content = {"identities": sorted(self.identities), "digests": sorted(self.digests)}
        write_file(run / FILE, (json.dumps(content, indent=0) + "\n").encode())

    def refuse(self, identity: Mapping[str, str], pictures: Mapping[str, str]) -> None:
        """Refuse identities and pictures that the network has seen.

        Args:
            identity: Name of a picture → its label.
            pictures: Name of a picture → its digest.

        Raises:
            IdentityTrained: If a label is in the training split.
            PictureTrained: If a picture is in it, under any label.
        """
        labels = self.identities & set(identity.values())
        if labels:
            raise IdentityTrained(labels)
        known = [name for name, value in pictures.items() if value in self.digests]
        if known:
            raise PictureTrained(known)
