"""What the pages of this package share: one HTML file each, with pictures inside it.

They contain pictures of people, so keep them where such pictures may be kept. Faces of enrolments are only
named: `invigil jobs report` fills in those that may still be shown (`index/jobs/folders.py`).
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from embedding.image import ImageLimits, decode
from index.jobs.folders import write_private
from training.data.enrolled import parse_crop_name
from training.evaluation.evaluation import Rate

THUMBNAIL = 84


@dataclass(frozen=True)
class Chart:
    """A drawing under its title."""

    title: str
    svg: str


@dataclass(frozen=True)
class ShownPair:
    """Two pictures as `data:` or `crop:` addresses, with names, distance and a note."""

    a: str
    b: str
    a_name: str
    b_name: str
    d: float
    note: str = ""


@dataclass(frozen=True)
class Shown:
    """Pairs under a title; a sentence below it says what they are."""

    title: str
    pairs: Sequence[ShownPair]
    about: str = ""


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill in a template of this package and write it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template(template).render(
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        percent=format_percent,
        interval=format_interval,
        **values,
    )
    write_private(path, page)


def format_percent(rate: float) -> str:
    """A rate for people."""
    return f"{100 * rate:.2f} %"


def format_interval(rate: Rate) -> str:
    """Both ends of an interval, or that it is unknown."""
    return "interval unknown" if rate.interval is None else " to ".join(map(format_percent, rate.interval))


def build_pair(read: Callable[[str], bytes], names: tuple[str, str], d: float, note: str = "") -> ShownPair:
    """Two pictures by their names.

    Args:
        read: Name → bytes of the picture.
        names: Of both.
        d: Their distance.
        note: A line below.
    """
    a, b = names
    return ShownPair(address_of(read, a), address_of(read, b), a, b, d, note)


def address_of(read: Callable[[str], bytes], name: str) -> str:
    """The address of a picture: embedded in the page or, for an enrolment, its row in the database."""
    crop_id = parse_crop_name(name)
    return make_thumbnail(read(name)) if crop_id is None else f"crop:{crop_id}"


def make_thumbnail(content: bytes) -> str:
    """A small JPEG inside the page; pictures of evaluation sets show the face at their centre."""
    image = Image.fromarray(decode(content, ImageLimits()))
    image.thumbnail((2 * THUMBNAIL, 2 * THUMBNAIL))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
