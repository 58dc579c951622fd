"""Who is in the demonstration: sixty candidates, and what happens to each at the door."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from embedding.embedder import Embedder
from embedding.errors import EmbeddingError
from embedding.people.generator import Code, MadeUpPeople
from embedding.people.photograph import encode_jpeg, photograph
from embedding.quality import Purpose
from service.errors import StartRefused

CANDIDATES = 60
TWINS = (8, 9)
"""The second looks like the first."""

LIKENESS = 0.35
"""How far twins differ: 0 not at all, 1 like strangers."""

WITHOUT_TEMPLATE = 57
BY_AGREEMENT = 58
EXTRA_TIME = 5
TRIES = 12

Fate = Literal["admitted", "stranger", "blurred", "document", "expected"]
FATES: dict[int, Fate] = {
    **dict.fromkeys(range(24), "admitted"),
    **dict.fromkeys((24, 25), "stranger"),
    26: "blurred",
    BY_AGREEMENT: "document",
}

FIRST_NAMES = (
    "Ada", "Bela", "Chidi", "Dara", "Elif", "Femi", "Greta", "Hana", "Idris", "Jun",
    "Kaya", "Luca", "Mina", "Noor", "Oskar", "Priya", "Quinn", "Rosa", "Sami", "Tove",
)  # fmt: skip
LAST_NAMES = ("Sample", "Specimen", "Placeholder")


@dataclass(frozen=True)
class Member:
    """One candidate.

    Attributes:
        place: In the cast, from 0.
        number: Of the made-up person.
        identity: Whom the pictures show.
    """

    place: int
    number: int
    identity: Code

    @property
    def external_id(self) -> str:
        """As in the roster."""
        return f"D{self.place + 1:03}"

    @property
    def name(self) -> str:
        """Nobody's."""
        return f"{FIRST_NAMES[self.place % 20]} {LAST_NAMES[self.place // 20]}"

    @property
    def seat(self) -> str:
        """Rows of ten."""
        return f"{'ABCDEF'[self.place // 10]}{self.place % 10 + 1}"

    @property
    def fate(self) -> Fate:
        """What happens at the door before a newcomer looks."""
        return FATES.get(self.place, "expected")


class Cast:
    """The candidates and their photographs; the same on every machine.

    Args:
        people: Draws them.
    """

    def __init__(self, people: MadeUpPeople) -> None:
        self._people = people
        self.members = [self._member(place) for place in range(CANDIDATES)]

    def _member(self, place: int) -> Member:
        number = self._number(place)
        if place == TWINS[1]:
            return Member(place, number, self._people.relative(self._number(TWINS[0]), LIKENESS))
        return Member(place, number, self._people.person(number))

    def _number(self, place: int) -> int:
        """The made-up person in a place of the cast."""
        numbers = self._people.manifest.people or tuple(range(CANDIDATES))
        return numbers[place % len(numbers)]

    def find(self, external_id: str) -> Member | None:
        """The candidate of this number."""
        return next((one for one in self.members if one.external_id == external_id), None)

    def picture(self, member: Member, capture: int) -> bytes:
        """A photograph of a candidate as JPEG; each capture is another."""
        codes = self._people.captures(member.number, capture + 1)[-1:]
        return encode_jpeg(photograph(self._people.draw(member.identity, codes)[0], member.number))

    def usable(self, member: Member, embedder: Embedder, purpose: Purpose, first: int = 0) -> bytes:
        """The first photograph, from one of them on, that is good enough.

        Raises:
            StartRefused: If none is: the model in use cannot serve for the demonstration.
        """
        for picture in self._captures(member, first):
            try:
                embedder.embed(picture, purpose)
            except EmbeddingError:
                continue
            return picture
        raise StartRefused(f"No picture of {member.external_id} is good enough for this bundle.")

    def dark(self, member: Member) -> bytes:
        """A photograph in which the lamp is off."""
        return encode_jpeg(
            photograph(self._people.draw(member.identity, self._people.captures(1, 1))[0], 0) // 12
        )

    def _captures(self, member: Member, first: int) -> Iterator[bytes]:
        for capture in range(first, first + TRIES):
            yield self.picture(member, capture)
