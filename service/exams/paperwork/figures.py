"""What a model did at a door when it was measured, from the figures that lie beside its bundle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import isclose
from typing import Any

from embedding.bundle import Bundle

FIGURES = "figures.json"


@dataclass(frozen=True)
class DoorLine:
    """One row of the measurement: whole pictures of people whom no training saw.

    Attributes:
        collection: Whose pictures.
        pictures: As they are, or as which camera takes them.
        shown: Pictures that were tried; `turned_away` of them made no template.
        at_fmr: The false match rate of the threshold.
        tries: Pictures of each person, the best of which counts.
        fnmr: The share of right people who did not match, with its 95 % interval; None where nobody came.
        trials: Tries of right people.
    """

    collection: str
    pictures: str
    shown: int
    turned_away: int
    at_fmr: float
    tries: int
    fnmr: float | None
    interval: tuple[float, float] | None
    trials: int

    def is_at(self, fmr: float) -> bool:
        """Whether it was measured at this false match rate."""
        return isclose(self.at_fmr, fmr, rel_tol=1e-6)


def door_lines(bundle: Bundle) -> list[DoorLine]:
    """All rows of a bundle's own figures; none where there are no figures, or those of another model."""
    try:
        figures = json.loads((bundle.path / FIGURES).read_bytes())
        own = figures["bundles"][0]["model_id"] == bundle.model_id
        if not own or figures["calibration_id"] != bundle.calibration.id:
            return []
        pairs = [pair for one in figures["door"] for pair in product([one], one["conditions"])]
        return [line_of(one, condition, rate) for one, condition in pairs for rate in condition["rates"]]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def line_of(collection: Mapping[str, Any], condition: Mapping[str, Any], rate: Mapping[str, Any]) -> DoorLine:
    """One row as the figures have it."""
    fnmr = rate["fnmr"] or {}
    interval = fnmr.get("interval")
    return DoorLine(
        collection=collection["collection"],
        pictures=condition["name"],
        shown=condition["gate"]["shown"],
        turned_away=sum(condition["gate"]["turned_away"].values()),
        at_fmr=rate["at_fmr"],
        tries=rate["tries"],
        fnmr=fnmr.get("value"),
        interval=(interval[0], interval[1]) if interval else None,
        trials=fnmr.get("trials", 0),
    )
