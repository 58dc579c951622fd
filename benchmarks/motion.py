"""Do a few frames tell a head from a picture of one? Made scenes only: no real attack was seen.

Limits were set on the scenes of the first generator (`benchmarks.scenes.FIRST`), whose measures are printed
below; what they come to is counted on its scenes and on the second's, which took no part.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.scenes import ATTACKS, FIRST, LIVE, SECOND, Maker, Species, make_scene
from embedding.bundle import SHIPPED
from embedding.embedder import Embedder
from embedding.motion import Motion, Movement
from embedding.people.generator import MadeUpPeople

SCENES = 12
"""Of each kind and generator, each with another made-up person."""


@dataclass(frozen=True)
class Watched:
    """What was measured of some scenes."""

    movements: Sequence[Movement]
    milliseconds: float

    def share(self, what: Motion) -> float:
        """Of the scenes, those that come to this."""
        return Counter(one.tells for one in self.movements)[what] / len(self.movements)


def run(console: Console) -> None:
    """Print what the frames of made scenes come to, for both generators."""
    cv2.setNumThreads(1)
    people, embedder = MadeUpPeople.open(), Embedder.open(SHIPPED, threads=1)
    first = watch_all(people, embedder, FIRST, 0, console)
    second = watch_all(people, embedder, SECOND, SCENES, console)
    console.print(measures_table(first))
    console.print(verdicts_table(first, second))
    took = np.median([one.milliseconds for one in (*first.values(), *second.values())])
    console.print(f"{SCENES} scenes of each kind; {took:.0f} ms a scene (median) on one core.")
    console.print("Made scenes only: no real attack was seen.")


def watch_all(
    people: MadeUpPeople, embedder: Embedder, maker: Maker, skip: int, console: Console
) -> dict[Species, Watched]:
    """Every kind of scene by one generator, with people of its own."""
    numbers = people.manifest.people[skip : skip + SCENES]
    found: dict[Species, Watched] = {}
    for species in track((*LIVE, *ATTACKS), "scenes", console=console, transient=True):
        movements, took = [], []
        for number in numbers:
            frames = make_scene(people, number, species, maker, seed=len(found))
            began = time.process_time()
            movements.append(embedder.measure_movement(frames))
            took.append(time.process_time() - began)
        found[species] = Watched(movements, 1000 * float(np.median(took)))
    return found


def measures_table(found: dict[Species, Watched]) -> Table:
    """Least, median and largest of each measure on the scenes that limits were set on."""
    table = Table(
        "scene", "motion", "depth", "near", "far", title="First generator: least / median / largest"
    )
    for species, watched in found.items():
        cells = []
        for name in ("motion", "depth", "near", "far"):
            values = np.array([getattr(one, name) for one in watched.movements])
            known = values[~np.isnan(values)]
            text = " / ".join(f"{np.quantile(known, q):.2f}" for q in (0, 0.5, 1)) if len(known) else "–"
            cells.append(text)
        table.add_row(species, *cells)
    return table


def verdicts_table(first: dict[Species, Watched], second: dict[Species, Watched]) -> Table:
    """What the scenes of both generators come to."""
    table = Table("scene", *(f"{who}: {what}" for who in ("first", "second") for what in Motion))
    for species in (*LIVE, *ATTACKS):
        shares = [watched[species].share(what) for watched in (first, second) for what in Motion]
        table.add_row(species, *(f"{100 * one:.0f} %" for one in shares))
    for title, kinds in (("all people", LIVE), ("all attacks", ATTACKS)):
        means = [
            np.mean([watched[one].share(what) for one in kinds])
            for watched in (first, second)
            for what in Motion
        ]
        table.add_row(title, *(f"{100 * float(one):.0f} %" for one in means))
    return table
