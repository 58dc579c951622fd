"""Pairs of people who are known to be confused: training has to learn to tell them apart.

They come from confirmed false matches, overrides and look-alikes at check-ins, and from review pages: CSV
`identity_a,identity_b,reason`.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.csv_files import read_csv, write_csv
from training.data.reading import reason_of
from training.errors import PoolInvalid

COLUMNS = ("identity_a", "identity_b", "reason")


@dataclass(frozen=True)
class Confusion:
    """Two identities that are two people, and the source of that.

    Attributes:
        a: One identity.
        b: The other.
        reason: For example `false_accept`, `override`, `look_alike`, `reviewed`.
    """

    a: str
    b: str
    reason: str = ""


def read_confusions(path: Path) -> list[Confusion]:
    """Read a CSV file with the columns identity_a, identity_b and, optionally, reason.

    Raises:
        PoolInvalid: If it is not such a file, or a line names one identity twice.
    """
    try:
        found = [
            Confusion(row["identity_a"].strip(), row["identity_b"].strip(), row.get("reason") or "")
            for row in read_csv(path).rows
        ]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
        raise PoolInvalid(path, f"it is not a list of {','.join(COLUMNS)} ({reason_of(error)})") from error
    for number, each in enumerate(found, start=2):
        if not each.a or not each.b or each.a == each.b:
            raise PoolInvalid(path, f"line {number} does not name two identities")
    return found


def write_confusions(path: Path, confusions: Sequence[Confusion]) -> None:
    """Write a file for `read_confusions`."""
    write_csv(path, COLUMNS, [(each.a, each.b, each.reason) for each in confusions])


def as_numbers(confusions: Sequence[Confusion], number: Mapping[str, int]) -> list[tuple[int, int]]:
    """The pairs of which both identities have a number."""
    return [(number[each.a], number[each.b]) for each in confusions if each.a in number and each.b in number]
