"""Passwords: which are taken (NIST SP 800-63B-4, section 3.1.1), and how they are stored.

A password that is the only factor has at least 15 characters; there are no rules about kinds of characters
and no end. What is left of it without words that everybody tries, names and repetitions has to be long enough
still. Argon2id with the parameters of RFC 9106 takes 64 MiB and some 50 ms, so few are worked out at once.
"""

import re
import threading
import unicodedata
from collections.abc import Callable, Iterable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from service.errors import InvalidRequest, QueueFull

T = TypeVar("T")

FIELD = "/body/password"
SHORTEST = 15
LONGEST = 256
FEWEST_OWN_CHARACTERS = 8
FEWEST_DIFFERENT = 6
AT_ONCE = 2
MOST_WAITING = 8
"""More would take the threads that serve everybody else."""
COMMON = re.compile(
    "abcdefghijklmnopqrstuvwxyz|12345678901234567890|administrator|universität|motdepasse|"
    "contrasena|willkommen|qwertyuiop|qwertzuiop|azertyuiop|1234567890|university|bienvenue|"
    "asdfghjkl|123456789|987654321|password|passwort|iloveyou|football|baseball|sunshine|princess|"
    "superman|changeme|whatever|trustno1|abcdefgh|12345678|invigil|welcome|letmein|yxcvbnm|zxcvbnm|"
    "1234567|passwd|qwerty|qwertz|azerty|master|monkey|dragon|secret|geheim|abcdef|123456|654321|"
    "haslo|admin|12345|1234|4321|2024|2025|2026|2027|exam|test|123"
)
"""Words that everybody tries, the longest first."""


class Passwords:
    """Hashes and verifies; thread-safe."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._waiting = threading.BoundedSemaphore(AT_ONCE + MOST_WAITING)
        self._of_nobody = ""

    def hash(self, password: str) -> str:
        """What is stored.

        Raises:
            QueueFull: If too many wait for their turn.
        """
        return self._in_turn(lambda: self._hasher.hash(normalised(password)))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; for nobody's it takes as long.

        Raises:
            QueueFull: As `hash`.
        """
        if stored is None and not self._of_nobody:
            self._of_nobody = self.hash("nobody has this password")
        kept = stored or self._of_nobody
        return self._in_turn(lambda: self._matches(kept, password)) and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether it was made with parameters of before."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, normalised(password))
        except (VerificationError, InvalidHashError):
            return False

    def _in_turn(self, work: Callable[[], T]) -> T:
        if not self._waiting.acquire(blocking=False):
            raise QueueFull(MOST_WAITING)
        try:
            with self._places:
                return work()
        finally:
            self._waiting.release()


def normalised(password: str) -> str:
    """The same characters, however a keyboard makes them (Unicode NFKC)."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, names: Iterable[str]) -> None:
    """Refuse a password that is guessed too easily.

    Args:
        password: As it was typed.
        names: Of the operator, which everybody would try.

    Raises:
        InvalidRequest: Saying what is wrong with it.
    """
    text = normalised(password)
    if len(text) < SHORTEST:
        raise InvalidRequest(FIELD, "too_short", f"A password has at least {SHORTEST} characters.")
    if len(text) > LONGEST:
        raise InvalidRequest(FIELD, "too_long", f"A password has at most {LONGEST} characters.")
    if len(set(text)) < FEWEST_DIFFERENT or len(own_part(text, names)) < FEWEST_OWN_CHARACTERS:
        raise InvalidRequest(
            FIELD, "too_common", "This password is easily guessed: common words, names or repetitions."
        )


def own_part(password: str, names: Iterable[str]) -> str:
    """What is left of it without common words, the operator's names and repetitions."""
    left = COMMON.sub("", password.casefold())
    parts = [part for name in names for part in re.split(r"[\W_]+", name.casefold()) if len(part) > 2]
    for word in parts:
        left = left.replace(word, "")
    return re.sub(r"(.+?)\1+", r"\1", left)
