"""Groups of people, such as age bands, within each of which two models are compared: CSV `identity,group`.

People who are not listed belong to no group and count only in the comparison of everybody.
"""

import csv
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from training.data.csv_files import read_csv, write_csv
from training.data.reading import reason_of
from training.errors import GroupsInvalid

COLUMNS = ["identity", "group"]


def find_groups(path: Path, everybody: Collection[str], compared: Collection[str]) -> dict[str, str]:
    """The groups of the people whom two models are compared on: identity → group.

    Args:
        path: The list.
        everybody: Identities in the data. A list with others belongs to other data or has a typing error,
            which would silently leave somebody out of a group.
        compared: The identities on which the models are compared.

    Raises:
        GroupsInvalid: As `read_groups`; also if an identity is not in the data, or the compared people belong
            to fewer than two groups.
    """
    groups, known = read_groups(path), frozenset(everybody)
    absent = {identity for identity in groups if identity not in known}
    if absent:
        line = next(line for line, identity, _ in _read_rows(path) if identity in absent)
        raise GroupsInvalid(
            path,
            f"{len(absent)} of its {len(groups)} identities are not in the data, the first in line {line}",
        )
    found = {identity: groups[identity] for identity in sorted(compared) if identity in groups}
    _refuse_one_group(path, found, f"the {len(compared)} people compared")
    return found


def read_groups(path: Path) -> dict[str, str]:
    """Read identity → group from a CSV file with these two columns in any order.

    Raises:
        GroupsInvalid: If it is not such a file, if a line lacks an identity or a group, or puts somebody into
            a second group, or if there are fewer than two groups.
    """
    groups: dict[str, str] = {}
    for line, identity, group in _read_rows(path):
        if not identity or not group:
            raise GroupsInvalid(path, f"line {line} lacks {'a group' if identity else 'an identity'}")
        if groups.setdefault(identity, group) != group:
            raise GroupsInvalid(path, f"line {line} puts an identity into a second group")
    _refuse_one_group(path, groups, f"its {len(groups)} identities")
    return groups


def write_groups(path: Path, groups: Mapping[str, str]) -> None:
    """Write a file for `read_groups`."""
    write_csv(path, COLUMNS, list(groups.items()))


def format_groups(groups: Mapping[str, str]) -> str:
    """How many people each group has."""
    sizes = Counter(groups.values())
    return "; ".join(f"{size} are of group {name}" for name, size in sorted(sizes.items()))


def _read_rows(path: Path) -> list[tuple[int, str, str]]:
    """Line number, identity and group of each line, without surrounding white space."""
    try:
        table = read_csv(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GroupsInvalid(path, f"it is not a list of {','.join(COLUMNS)} ({reason_of(error)})") from error
    if sorted(table.columns) != sorted(COLUMNS):
        raise GroupsInvalid(
            path, f"its first line has {len(table.columns)} columns and not the two {','.join(COLUMNS)}"
        )
    rows = list(zip(table.lines, table.rows, strict=True))
    for line, row in rows:
        if None in row:
            raise GroupsInvalid(path, f"line {line} has more than two fields")
    return [(line, (row["identity"] or "").strip(), (row["group"] or "").strip()) for line, row in rows]


def _refuse_one_group(path: Path, groups: Mapping[str, str], of: str) -> None:
    names = sorted(set(groups.values()))
    if len(names) < 2:
        told = "of one group only" if names else "of no group"
        raise GroupsInvalid(path, f"{of} are {told}; two groups at least are needed")
