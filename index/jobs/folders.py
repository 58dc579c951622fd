"""The folders of jobs: only the owner can read them, and no page in them contains a face from an enrolment.

A page names its crops; the pictures are filled in from the current rows when somebody opens the page
(`fill_in`). So people who were erased, withdrew or are past their retention are on no page any more,
whichever process removed them, and even while the job runs.
"""

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from index.crops import Crops

FOLDER = "jobs"
RECORD = "gathered.json"
"""The record of what a job read; it names the crops."""
REPORT = "report.html"
REVIEW = "mined/review.html"
TARGETS = "targets"
"""The folder in which a training stores its teacher's output for each face."""

REFERENCE = re.compile(r'src="crop:([0-9a-f-]{36})"')
_PICTURES = b"data:image/"
_IDS_AT_ONCE = 500
EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
"""One transparent pixel; the caption below it stays."""


def make_private(folder: Path) -> None:
    """Remove everybody else's rights to a folder and its content; ignores files that vanish meanwhile."""
    for place in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):
            if not place.is_symlink():
                place.chmod(0o700 if place.is_dir() else 0o600)


def remove_former_pages(data_dir: Path) -> list[Path]:
    """Remove pages with faces of enrolments that an earlier version wrote; returns their paths.

    Raises:
        OSError: If one can be neither read nor removed.
    """
    removed = []
    for folder in find_job_folders(data_dir):
        make_private(folder)
        if not names_crops(folder):
            continue
        for page in folder.rglob("*.html"):
            with suppress(FileNotFoundError):  # another process, started at once, has removed it
                if _PICTURES in page.read_bytes():
                    page.unlink()
                    removed.append(page)
    return removed


def remove_targets(folder: Path) -> None:
    """Remove a teacher's output for enrolments: people's vectors in plain form."""
    if names_crops(folder):
        shutil.rmtree(folder / TARGETS, ignore_errors=True)


def find_job_folders(data_dir: Path) -> Iterator[Path]:
    """The folder of each job that has written anything on this machine."""
    with suppress(FileNotFoundError):
        yield from (folder for folder in (data_dir / FOLDER).iterdir() if folder.is_dir())


def names_crops(folder: Path) -> bool:
    """Whether a job has read crops of enrolments, or may have because its record is unreadable."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return bool(record.get("crops"))


def fill_in(page: str, crops: Crops | None) -> tuple[str, int]:
    """Fill a page with the pictures that may still be shown.

    Args:
        page: As the job wrote it.
        crops: Those of the enrolment database; None if there is no key to open them.

    Returns:
        The page, and how many pictures are missing.

    Raises:
        TemplateUnreadable: If a crop was sealed with another key or was changed.
    """
    wanted = sorted({UUID(one) for one in REFERENCE.findall(page)})
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        kept = crops.read_shown(wanted[start : start + _IDS_AT_ONCE]) if crops is not None else {}
        found |= {
            str(crop_id): "data:image/png;base64," + base64.b64encode(picture).decode()
            for crop_id, picture in kept.items()
        }
    filled = REFERENCE.sub(lambda one: f'src="{found.get(one[1], EMPTY)}"', page)
    return filled, len(wanted) - len(found)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
