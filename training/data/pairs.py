"""Read lists of pairs to compare: LFW's `pairs.txt`, or CSV with the columns path_a, path_b, same."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.csv_files import read_csv
from training.data.reading import reason_of
from training.errors import PairsInvalid

FOLDS = 10
"""Number of folds for a list that does not state it."""

TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True)
class Pair:
    """Two pictures, and whether they show one person.

    Attributes:
        a: Name of the first picture.
        b: Name of the second.
        same: Whether the comparison is mated.
        fold: From 0; a threshold is chosen on the other folds.
    """

    a: str
    b: str
    same: bool
    fold: int


def read_pairs(path: Path) -> list[Pair]:
    """Read the pairs of a file; the first line shows the format.

    Raises:
        PairsInvalid: If a line cannot be read, the pairs contradict the counts in LFW's first line, or there
            are only mated (or only non-mated) pairs, which give no error rate.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PairsInvalid(path, f"it cannot be read ({reason_of(error)})") from error
    if not lines:
        raise PairsInvalid(path, "it is empty")
    pairs = _read_csv_pairs(path) if "," in lines[0] else _read_lfw_pairs(path, lines)
    kinds = {pair.same for pair in pairs}
    if len(kinds) < 2:
        only = "mated" if True in kinds else "non-mated"
        raise PairsInvalid(path, f"it has {only} pairs only; error rates need both kinds")
    return pairs


def _read_csv_pairs(path: Path) -> list[Pair]:
    try:
        table = read_csv(path)
    except csv.Error as error:
        raise PairsInvalid(path, f"it cannot be read ({reason_of(error)})") from error
    missing = {"path_a", "path_b", "same"} - set(table.columns)
    if missing:
        raise PairsInvalid(path, f"the column {min(missing)} is missing", line=1)
    found = []
    for line, row in zip(table.lines, table.rows, strict=True):
        same = TRUTH.get((row["same"] or "").strip().lower())
        if same is None or not row["path_a"] or not row["path_b"]:
            raise PairsInvalid(path, "it is not path_a,path_b,same with same = 0 or 1", line)
        found.append((row["path_a"], row["path_b"], same))
    return _assign_folds(found)


def _assign_folds(pairs: Sequence[tuple[str, str, bool]]) -> list[Pair]:
    """Neighbours in the list share a fold, because they tend to share people; each fold has both kinds."""
    total = {same: sum(pair[2] == same for pair in pairs) for same in (True, False)}
    folds = min(FOLDS, *total.values())
    seen = {True: 0, False: 0}
    result = []
    for a, b, same in pairs:
        result.append(Pair(a, b, same, seen[same] * folds // total[same]))
        seen[same] += 1
    return result


def _read_lfw_pairs(path: Path, lines: Sequence[str]) -> list[Pair]:
    """First line `folds count` (or `count` alone); then for each fold `count` mated and non-mated pairs."""
    head = lines[0].split()
    if not 1 <= len(head) <= 2 or not all(word.isdigit() for word in head):
        raise PairsInvalid(path, "it starts neither as LFW's pairs.txt nor as CSV", line=1)
    folds, count = (int(head[0]), int(head[1])) if len(head) == 2 else (1, int(head[0]))
    body = [(number, line.split()) for number, line in enumerate(lines[1:], start=2) if line.strip()]
    if len(body) != folds * count * 2:
        raise PairsInvalid(path, f"its first line promises {folds * count * 2} pairs, it has {len(body)}")
    found = [_parse_lfw_pair(path, number, words) for number, words in body]
    if folds == 1:
        return _assign_folds(found)
    return [Pair(*pair, fold=index // (2 * count)) for index, pair in enumerate(found)]


def _parse_lfw_pair(path: Path, line: int, words: Sequence[str]) -> tuple[str, str, bool]:
    """`Name i j` is a mated pair, `Name i Other j` a non-mated one; files are Name/Name_0001."""
    if len(words) == 3 and words[1].isdigit() and words[2].isdigit():
        return _lfw_name(words[0], words[1]), _lfw_name(words[0], words[2]), True
    if len(words) == 4 and words[1].isdigit() and words[3].isdigit():
        return _lfw_name(words[0], words[1]), _lfw_name(words[2], words[3]), False
    raise PairsInvalid(path, "it is neither `Name i j` nor `Name i Other j`", line)


def _lfw_name(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}"


def number_people(pairs: Sequence[Pair]) -> dict[str, int]:
    """Name of a picture → number of its person, as far as the pairs show: mated pairs join pictures."""
    person: dict[str, int] = {}
    members: dict[int, list[str]] = {}
    for pair in pairs:
        for name in (pair.a, pair.b):
            if name not in person:
                person[name] = len(person)
                members[person[name]] = [name]
        keep, drop = person[pair.a], person[pair.b]
        if pair.same and keep != drop:
            for name in members[drop]:
                person[name] = keep
            members[keep] += members.pop(drop)
    numbers = {old: new for new, old in enumerate(sorted(members))}
    return {name: numbers[old] for name, old in person.items()}
