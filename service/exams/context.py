"""What the exam domain works with, and in whose name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from index.consent.legal_basis import WARNED_BEFORE
from index.database.database import Database
from index.gallery.gallery import Gallery
from index.sealing.cipher import TemplateCipher
from service.cards.number_rule import ANY_NUMBER, NumberRule
from service.decisions.compared import Compared, tell_nobody
from service.decisions.decision import Policy
from service.models.loaded import Serving


@dataclass(frozen=True)
class Desk:
    """The parts that check-ins need.

    Attributes:
        serving: The models to decide with.
        cipher: Encrypts kept pictures; without it none is kept.
        warned_before: How long before its end a legal basis is shown as expiring.
        compared: Told of each claim that was decided; it must not wait.
        numbers: How the site's cards spell candidate numbers.
    """

    database: Database
    serving: Serving
    cipher: TemplateCipher | None
    warned_before: timedelta = WARNED_BEFORE
    numbers: NumberRule = ANY_NUMBER
    compared: Callable[[Compared], None] = tell_nobody

    @property
    def gallery(self) -> Gallery:
        """Of the model in use."""
        return self.serving.active.gallery

    @property
    def policy(self) -> Policy:
        """The installation's rates, for exams that set none of their own."""
        return self.serving.active.policy


def name_in(actor: str) -> str:
    """The name of a key or a person, as an actor holds it with the id."""
    return actor.rpartition(" (")[0] or actor
