"""How a site's cards spell candidate numbers."""

from dataclasses import dataclass
from typing import Literal

CheckDigit = Literal["none", "luhn", "mod11"]


@dataclass(frozen=True)
class NumberRule:
    """How a site's cards spell candidate numbers.

    Attributes:
        prefix: In front of each number on a card, and no part of it.
        length: Of the number behind the prefix; None for any.
        check_digit: How the number's last character follows from the others: `luhn` (ISO/IEC 7812-1) or
            `mod11` (weights 2, 3, 4 … from the right, X for ten). It is a part of the number.
    """

    prefix: str = ""
    length: int | None = None
    check_digit: CheckDigit = "none"

    def read(self, text: str) -> str | None:
        """The number that a card spells; None where it is no candidate's."""
        plain = text.strip()
        if not plain.casefold().startswith(self.prefix.casefold()):
            return None
        number = plain[len(self.prefix) :].strip()
        if not number or self.length not in (None, len(number)):
            return None
        return number if has_check_digit(number, self.check_digit) else None


ANY_NUMBER = NumberRule()


def has_check_digit(number: str, kind: CheckDigit) -> bool:
    """Whether the last character of a number is the one that the others lead to."""
    if kind == "none":
        return True
    body, check = number[:-1], number[-1].upper()
    if not (body.isascii() and body.isdigit()):
        return False
    digits = [int(digit) for digit in reversed(body)]
    if kind == "luhn":
        doubled = [d if at % 2 else sum(divmod(2 * d, 10)) for at, d in enumerate(digits)]
        return check == str(-sum(doubled) % 10)
    rest = -sum(d * weight for weight, d in enumerate(digits, 2)) % 11
    return check == ("X" if rest == 10 else str(rest))
