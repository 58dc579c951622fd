"""Write the result of a mining: the training list, and probable label noise for a person to review.

pool.csv      triplets, hardest first, by the names of their pictures
review.json   pairs of identities that were held back, the nearest first
review.html   the same with both pictures side by side
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from embedding.files import write_file
from training.evaluation.evaluation import SUSPECT_D
from training.mining.pool import Mined, write_triplets
from training.reports.page import Shown, build_pair, write_page

POOL = "pool.csv"
REVIEW = "review.json"
PAGE = "review.html"

SHOWN = 300
"""Most pairs on the page, which take 5 MB; the list has all of them."""


def write_mined(
    folder: Path,
    mined: Mined,
    names: Sequence[str],
    identities: Sequence[str],
    read: Callable[[str], bytes],
) -> None:
    """Write all three files.

    Args:
        folder: Created if it does not exist.
        mined: Rows of the set.
        names: Names of its pictures.
        identities: Identities of its pictures.
        read: Name → bytes of the picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_triplets(folder / POOL, mined.triplets, names)
    suspects = list_suspects(mined, names, identities)
    content = {"suspect_d": SUSPECT_D, "suspects": suspects}
    write_file(folder / REVIEW, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    write_review(folder / PAGE, suspects, read)


def list_suspects(mined: Mined, names: Sequence[str], identities: Sequence[str]) -> list[dict[str, Any]]:
    """Each pair of identities held back: its nearest pictures, their identities and their d."""
    found = zip(mined.suspects.a, mined.suspects.b, mined.suspects.d, strict=True)
    return [
        {
            "a": names[a],
            "b": names[b],
            "identity_a": identities[a],
            "identity_b": identities[b],
            "d": round(float(d), 6),
        }
        for a, b, d in found
    ]


def write_review(path: Path, suspects: Sequence[dict[str, Any]], read: Callable[[str], bytes]) -> None:
    """Write the page, which contains pictures of people."""
    pairs = [
        build_pair(read, (each["a"], each["b"]), each["d"], f"{each['identity_a']},{each['identity_b']}")
        for each in suspects[:SHOWN]
    ]
    sure = sum(each["d"] < SUSPECT_D for each in suspects)
    write_page(
        path,
        "review.html",
        total=len(suspects),
        nearest=Shown("Nearer than two photographs of one person ever are", pairs[:sure]),
        others=Shown("Nearest of the rest", pairs[sure:]),
        suspect_d=SUSPECT_D,
    )
