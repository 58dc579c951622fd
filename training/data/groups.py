"""Groups of people, such as age bands, within each of which two models are compared: CSV `identity,group`.

Whoever is not named is in no group, and counts in the comparison of everybody alone.
"""

import csv
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from training.data.reading import reason_of
from training.errors import GroupsInvalid

COLUMNS = ["identity", "group"]


def groups_of(path: Path, everybody: Collection[str], compared: Collection[str]) -> dict[str, str]:
    """The groups of the people whom two models are compared on: identity → group.

    Args:
        path: The list.
        everybody: Identities in the data. A list that names others is of other data or has a slip in it, by
            which somebody would silently be in no group.
        compared: Those of them whom the models are compared on.

    Raises:
        GroupsInvalid: As `read_groups`; if an identity is not in the data; if the people compared are not of
            two groups at least.
    """
    groups, known = read_groups(path), frozenset(everybody)
    absent = {identity for identity in groups if identity not in known}
    if absent:
        line = next(line for line, identity, _ in _rows(path) if identity in absent)
        raise GroupsInvalid(
            path,
            f"{len(absent)} of its {len(groups)} identities are not in the data, the first in line {line}",
        )
    found = {identity: groups[identity] for identity in sorted(compared) if identity in groups}
    _refuse_one_group(path, found, f"the {len(compared)} people compared")
    return found


def read_groups(path: Path) -> dict[str, str]:
    """Identity → group, of a CSV file with these two columns in any order.

    Raises:
        GroupsInvalid: If it is no such file; if a line lacks an identity or a group, or puts somebody into a
            second group; if there are not two groups.
    """
    groups: dict[str, str] = {}
    for line, identity, group in _rows(path):
        if not identity or not group:
            raise GroupsInvalid(path, f"line {line} lacks {'a group' if identity else 'an identity'}")
        if groups.setdefault(identity, group) != group:
            raise GroupsInvalid(path, f"line {line} puts an identity into a second group")
    _refuse_one_group(path, groups, f"its {len(groups)} identities")
    return groups


def write_groups(path: Path, groups: Mapping[str, str]) -> None:
    """As `read_groups` reads it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(groups.items())


def format_groups(groups: Mapping[str, str]) -> str:
    """How many people each group has."""
    sizes = Counter(groups.values())
    return "; ".join(f"{size} are of group {name}" for name, size in sorted(sizes.items()))


def _rows(path: Path) -> list[tuple[int, str, str]]:
    """Number, identity and group of each line, without the blanks around them."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, strict=True)
            columns = [name.strip() for name in table.fieldnames or ()]
            if sorted(columns) != sorted(COLUMNS):
                raise GroupsInvalid(
                    path, f"its first line has {len(columns)} columns and not the two {','.join(COLUMNS)}"
                )
            table.fieldnames = columns
            rows = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GroupsInvalid(path, f"it is not a list of {','.join(COLUMNS)} ({reason_of(error)})") from error
    for line, row in rows:
        if None in row:
            raise GroupsInvalid(path, f"line {line} has more than two fields")
    return [(line, (row["identity"] or "").strip(), (row["group"] or "").strip()) for line, row in rows]


def _refuse_one_group(path: Path, groups: Mapping[str, str], of: str) -> None:
    names = sorted(set(groups.values()))
    if len(names) < 2:
        told = "of one group only" if names else "of no group"
        raise GroupsInvalid(path, f"{of} are {told}; two groups at least are needed")
