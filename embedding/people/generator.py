"""Faces of made-up people: one code determines the person, another how the picture is taken.

`people.json` describes the network and its limits; its model card is next to it. Both codes are standard
normal. A person is a number, and so is a capture: the same numbers give the same picture.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, ValidationError

from embedding.align import ALIGNED_SIZE
from embedding.calibration import Record
from embedding.errors import PeopleInvalid
from embedding.manifest import FileRecord
from embedding.networks import Network, NetworkRefused, compile_decoder

SHIPPED_PEOPLE = Path(__file__).parent / "people-1"
"""The generator that comes with the project."""

MANIFEST = "people.json"

Code = NDArray[np.float32]
Crops = NDArray[np.uint8]


class PeopleManifest(Record):
    """The content of `people.json`.

    Attributes:
        decoder: ONNX: (n, identity + capture) float32 to (n, 112, 112, 3) uint8 RGB.
        identity: Length of the identity code.
        capture: Length of the capture code.
        spread: Standard deviation of the capture codes; at 1, pictures of one person differ as photographs
            do.
        identity_spread: Standard deviation of the identity codes; above 1, people differ more than real ones.
        people: Numbers of the people who have been inspected and measured.
        provenance: Data, terms and recipe in words.
    """

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    decoder: FileRecord
    identity: PositiveInt
    capture: PositiveInt
    spread: Annotated[float, Field(gt=0, le=2)]
    identity_spread: Annotated[float, Field(gt=0, le=2)] = 1.0
    people: tuple[int, ...] = ()
    provenance: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class MadeUpPeople:
    """Draws people. Thread-safe."""

    manifest: PeopleManifest
    network: Network

    @classmethod
    def open(cls, path: Path = SHIPPED_PEOPLE, threads: int = 1) -> Self:
        """Verifies the decoder and compiles it.

        Raises:
            PeopleInvalid: If there is none, a file is damaged, or the version differs.
        """
        manifest = read_people(path)
        onnx = _read_verified(path / manifest.decoder.file, manifest.decoder)
        try:
            network = compile_decoder(onnx, manifest.identity + manifest.capture, ALIGNED_SIZE, threads)
        except NetworkRefused as error:
            raise PeopleInvalid(path / manifest.decoder.file, str(error)) from error
        return cls(manifest, network)

    def person(self, number: int) -> Code:
        """(identity,) code of the person with this number."""
        return self._draw_identity(0, number)

    def relative(self, number: int, share: float) -> Code:
        """(identity,) code of somebody like a person: the same person at a `share` of 0, unrelated at 1."""
        own = self._draw_identity(1, number)
        return np.asarray(np.sqrt(1 - share**2) * self.person(number) + share * own, np.float32)

    def _draw_identity(self, stream: int, number: int) -> Code:
        random = default_rng((stream, number))
        code = random.standard_normal(self.manifest.identity, np.float32) * self.manifest.identity_spread
        return np.asarray(code, np.float32)

    def captures(self, number: int, count: int) -> Code:
        """(count, capture) codes of pose, light and background."""
        random = default_rng((2, number))
        return random.standard_normal((count, self.manifest.capture), np.float32) * self.manifest.spread

    def draw(self, identity: Code, captures: Code) -> Crops:
        """Draw one person in several captures.

        Args:
            identity: (identity,).
            captures: (n, capture).

        Returns:
            (n, 112, 112, 3) uint8 RGB, aligned as `embedding.align` does.
        """
        codes = np.concatenate([np.broadcast_to(identity, (len(captures), len(identity))), captures], axis=1)
        # One by one, because the network is compiled for each batch size.
        drawn = [self.network(np.asarray(code[None], np.float32))[0] for code in codes]
        return np.concatenate(drawn).astype(np.uint8)


def read_people(path: Path) -> PeopleManifest:
    """Read the `people.json` in a folder.

    Raises:
        PeopleInvalid: If it is missing, or a value in it is not allowed.
    """
    file = path / MANIFEST
    try:
        return PeopleManifest.model_validate(json.loads(file.read_bytes()))
    except OSError as error:
        raise PeopleInvalid(file, error.strerror or "it cannot be read") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the manifest"
        raise PeopleInvalid(file, f"{place}: {first['msg']}") from error
    except ValueError as error:
        raise PeopleInvalid(file, "it is not JSON") from error


def _read_verified(path: Path, record: FileRecord) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PeopleInvalid(path, error.strerror or "it cannot be read") from error
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise PeopleInvalid(path, "its SHA-256 is not the one in the manifest")
    return content
