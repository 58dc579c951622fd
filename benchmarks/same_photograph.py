"""Is the same photograph told from another one of the person? `python -m benchmarks.same_photograph DATA …`

Each DATA is a folder, or a tar archive, with a folder of photographs for each person. The first one of each
is altered as a cheat or a scanner would and goes the way of a check-in; the aligned crops are compared, as at
the door. Thresholds are chosen on every other person and measured on the rest. Made-up people are always
measured. It needs pictures of people and is no part of `make bench`.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import default_rng
from rich.console import Console
from rich.progress import track
from rich.table import Table

from embedding.bundle import SHIPPED
from embedding.embedder import Embedder, Embedding
from embedding.errors import EmbeddingError
from embedding.image import ImageLimits, Pixels, decode
from embedding.people.generator import MadeUpPeople
from embedding.people.photograph import encode_jpeg, photograph
from embedding.quality import Purpose
from embedding.same_photograph import MINIMAL_SHARE, find_places, measure_agreement
from embedding.template import distance
from training.data.pictures import open_pictures

PEOPLE = 60
"""Of each set."""

PICTURES = 4
"""Of each person: the photograph, and up to three others."""

SHARES = (0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.7)
MADE_UP = "made-up"
GREY = (120, 110, 100)

Alter = Callable[[Pixels], Pixels]


def cropped(picture: Pixels) -> Pixels:
    """Without about a twelfth at each edge, not the same at each."""
    height, width = picture.shape[:2]
    return picture[height // 12 : height - height // 14, width // 11 : width - width // 13]


def rotated(picture: Pixels, degrees: float) -> Pixels:
    """Counter-clockwise about the middle, in the same frame."""
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return _bytes(cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_CUBIC, borderValue=GREY))


def rescaled(picture: Pixels, factor: float) -> Pixels:
    """Smaller or larger."""
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return _bytes(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=smooth))


def compressed(picture: Pixels, quality: int) -> Pixels:
    """As JPEG and back."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    return decode(data, ImageLimits())


def lit(picture: Pixels, gamma: float, more: float) -> Pixels:
    """Brighter, below a gamma of 1, or darker."""
    return _bytes(255 * (picture / 255.0) ** gamma + more)


def on_a_screen(picture: Pixels) -> Pixels:
    """Scaled to a screen's lines, washed out, and photographed: scaled again, with noise."""
    screen = rescaled(picture, 1.37).astype(np.float32)
    screen[::3] *= 0.93
    screen = cv2.GaussianBlur(screen, (0, 0), 0.8) * 0.85 + 25
    return rescaled(_noisy(screen), 0.8)


def print_at_an_angle(picture: Pixels) -> Pixels:
    """A print held before the camera: seen in perspective, a little blurred and darker."""
    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    held = np.array([[0.12, 0.1], [0.93, 0.02], [0.9, 0.97], [0.16, 0.88]])
    frame = np.array([width, height])
    view = cv2.getPerspectiveTransform(
        np.array(corners * frame, np.float32), np.array(held * frame, np.float32)
    )
    seen = cv2.warpPerspective(picture, view, (width, height), borderValue=GREY)
    return _noisy(cv2.GaussianBlur(seen, (0, 0), 0.9).astype(np.float32) * 0.9 + 12)


ALTERATIONS: dict[str, Alter] = {
    "JPEG at 40": lambda picture: compressed(picture, 40),
    "cropped": cropped,
    "turned by 7°": lambda picture: rotated(picture, 7),
    "turned by 15°": lambda picture: rotated(picture, -15),
    "smaller": lambda picture: rescaled(picture, 0.6),
    "larger": lambda picture: rescaled(picture, 1.7),
    "brighter": lambda picture: lit(picture, 0.7, 15),
    "darker": lambda picture: lit(picture, 1.4, -5),
    "mirrored": lambda picture: np.ascontiguousarray(picture[:, ::-1]),
    "on a screen": on_a_screen,
    "print at an angle": print_at_an_angle,
}


def agreement(a: Embedding, b: Embedding) -> float:
    """Share of SIFT places that fit one homography, as at the door."""
    return measure_agreement(find_places(a.crop), find_places(b.crop)).share


def agreement_by_orb(a: Embedding, b: Embedding) -> float:
    """The same with ORB (Rublee and others 2011), which takes no part in decisions."""
    orb = cv2.ORB.create(nfeatures=500, edgeThreshold=8, patchSize=16, fastThreshold=5)
    found = [orb.detectAndCompute(cv2.cvtColor(one.crop, cv2.COLOR_RGB2GRAY), None) for one in (a, b)]
    (of_a, words_a), (of_b, words_b) = found
    if min(len(of_a), len(of_b)) < 4:
        return 0.0
    pairs = [
        pair[0]
        for pair in cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(words_a, words_b, k=2)
        if len(pair) == 2 and pair[0].distance < 0.8 * pair[1].distance
    ]
    if len(pairs) < 4:
        return 0.0
    one = np.array([of_a[pair.queryIdx].pt for pair in pairs], np.float32)
    other = np.array([of_b[pair.trainIdx].pt for pair in pairs], np.float32)
    _, fits = cv2.findHomography(one, other, cv2.RANSAC, 2.0, maxIters=500, confidence=0.99)
    return 0.0 if fits is None else int(fits.sum()) / min(len(of_a), len(of_b))


def nearness(a: Embedding, b: Embedding) -> float:
    """-d: the learnt similarity of the whole face, which nothing more would have to be kept for."""
    return -distance(a.template, b.template)


METHODS = {"SIFT": agreement, "ORB": agreement_by_orb, "-d": nearness}


@dataclass(frozen=True)
class Compared:
    """One comparison with a person's photograph: with an altered copy, or with another photograph.

    Attributes:
        source: The set of pictures.
        half: 0 or 1, by person.
        alteration: None for another photograph.
        scores: By method; larger means more like the same photograph.
    """

    source: str
    half: int
    alteration: str | None
    scores: dict[str, float]


def measure(console: Console, data: list[Path]) -> None:
    """Measure and print the tables."""
    embedder = Embedder.open(SHIPPED)
    seconds: dict[str, list[float]] = defaultdict(list)
    compared = [
        one
        for source, pictures in {MADE_UP: made_up(), **{path.stem: people_of(path) for path in data}}.items()
        for number, own in enumerate(track(pictures, console=console, transient=True))
        for one in compare_person(embedder, source, number % 2, own, seconds)
    ]
    print_shares(console, compared)
    print_halves(console, compared)
    for name, times in seconds.items():
        console.print(f"{name}: {1e3 * float(np.median(times)):.1f} ms a comparison, both pictures from anew")


def compare_person(
    embedder: Embedder, source: str, half: int, pictures: list[bytes], seconds: dict[str, list[float]]
) -> Iterator[Compared]:
    """A person's first photograph against altered copies of it, and against the other ones."""
    first = decode(pictures[0], ImageLimits())
    probes: list[tuple[str | None, bytes]] = [
        (name, encode_jpeg(alter(first))) for name, alter in ALTERATIONS.items()
    ]
    probes += [(None, picture) for picture in pictures[1:]]
    seen = embedder.embed_many([pictures[0], *(data for _, data in probes)], Purpose.CHECKIN)
    own = seen[0]
    if isinstance(own, EmbeddingError):
        return
    for (alteration, _), probe in zip(probes, seen[1:], strict=True):
        if isinstance(probe, EmbeddingError):
            continue
        scores = {}
        for name, score in METHODS.items():
            start = time.thread_time()
            scores[name] = score(own, probe)
            seconds[name].append(time.thread_time() - start)
        yield Compared(source, half, alteration, scores)


def print_shares(console: Console, compared: list[Compared]) -> None:
    """How many are taken for the same photograph at each share of SIFT places."""
    sources = list(dict.fromkeys(one.source for one in compared))
    table = Table(title="Taken for the same photograph, by the share of places that must fit")
    table.add_column("photographs")
    table.add_column("compared", justify="right")
    for share in SHARES:
        table.add_column(f"{share:g}", justify="right")
    for alteration in (None, *ALTERATIONS):
        for source in sources:
            scores = [
                one.scores["SIFT"] for one in compared if (one.source, one.alteration) == (source, alteration)
            ]
            if not scores:
                continue
            shares = [f"{100 * np.mean(np.array(scores) >= share):.1f} %" for share in SHARES]
            table.add_row(f"{source}, {alteration or 'another photograph'}", str(len(scores)), *shares)
    console.print(table)


def print_halves(console: Console, compared: list[Compared]) -> None:
    """For each method the least strict threshold without an error on half of the people, on the others."""
    sources = list(dict.fromkeys(one.source for one in compared))
    table = Table(title="Threshold of one half of the people, measured on the other half")
    for name in (
        "method",
        "threshold",
        *(f"{source}: copies found" for source in sources),
        "others taken for it",
    ):
        table.add_column(name, justify="right")
    for name in METHODS:
        for half in (0, 1):
            threshold = max(
                one.scores[name] for one in compared if one.half == half and one.alteration is None
            )
            rest = [one for one in compared if one.half != half]
            found = [
                share_above(
                    threshold, [one.scores[name] for one in rest if one.source == source and one.alteration]
                )
                for source in sources
            ]
            others = [one.scores[name] > threshold for one in rest if one.alteration is None]
            table.add_row(name, f"{threshold:.3f}", *found, f"{sum(others)} of {len(others)}")
    table.caption = f"At the door: SIFT, {MINIMAL_SHARE:g}"
    console.print(table)


def share_above(threshold: float, scores: list[float]) -> str:
    """How many are above a threshold, in per cent."""
    return f"{100 * np.mean(np.array(scores) > threshold):.1f} %" if scores else ""


def made_up() -> list[list[bytes]]:
    """Pictures of people who do not exist."""
    people = MadeUpPeople.open()
    return [
        [
            encode_jpeg(photograph(crop, number))
            for crop in people.draw(people.person(number), people.captures(number, PICTURES))
        ]
        for number in people.manifest.people[:PEOPLE]
    ]


def people_of(path: Path) -> list[list[bytes]]:
    """Up to `PICTURES` of each person with at least two."""
    pictures = open_pictures(path)
    names: dict[str, list[str]] = defaultdict(list)
    for name in sorted(pictures.labelled):
        names[pictures.identity[name]].append(name)
    several = [own[:PICTURES] for own in names.values() if len(own) > 1]
    return [[pictures.read(name) for name in own] for own in several[:PEOPLE]]


def _noisy(picture: np.ndarray) -> Pixels:
    return _bytes(picture + default_rng(5).normal(0, 4, picture.shape))


def _bytes(picture: np.ndarray) -> Pixels:
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def main(arguments: Iterable[str]) -> None:
    """Measure on made-up people and on the pictures that are named."""
    paths = [Path(argument) for argument in arguments]
    for path in paths:
        if not path.exists():
            sys.exit(f"There is nothing at {path}: python -m benchmarks.same_photograph DATA …")
    measure(Console(width=None if sys.stdout.isatty() else 140), paths)


if __name__ == "__main__":
    main(sys.argv[1:])
