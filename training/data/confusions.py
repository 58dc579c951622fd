"""Pairs of people who are known to be confused: they must be told apart, so they are trained on.

Confirmed false accepts, overrides and look-alikes at check-ins end up here, and so does what a person found
on a review page: CSV `identity_a,identity_b,reason`.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.reading import reason_of
from training.errors import PoolInvalid

COLUMNS = ("identity_a", "identity_b", "reason")


@dataclass(frozen=True)
class Confusion:
    """Two identities that are two people, and who or what says so.

    Attributes:
        a: One identity.
        b: The other.
        reason: For example `false_accept`, `override`, `look_alike`, `reviewed`.
    """

    a: str
    b: str
    reason: str = ""


def read_confusions(path: Path) -> list[Confusion]:
    """A CSV file with the columns identity_a, identity_b and, if one likes, reason.

    Raises:
        PoolInvalid: If it is no such file, or a line names one identity twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file, strict=True))
        found = [
            Confusion(line["identity_a"].strip(), line["identity_b"].strip(), line.get("reason") or "")
            for line in lines
        ]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
        raise PoolInvalid(path, f"it is not a list of {','.join(COLUMNS)} ({reason_of(error)})") from error
    for number, each in enumerate(found, start=2):
        if not each.a or not each.b or each.a == each.b:
            raise PoolInvalid(path, f"line {number} does not name two identities")
    return found


def write_confusions(path: Path, confusions: Sequence[Confusion]) -> None:
    """As `read_confusions` reads it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows((each.a, each.b, each.reason) for each in confusions)


def as_numbers(confusions: Sequence[Confusion], number: Mapping[str, int]) -> list[tuple[int, int]]:
    """Those of whom both identities have a number."""
    return [(number[each.a], number[each.b]) for each in confusions if each.a in number and each.b in number]
