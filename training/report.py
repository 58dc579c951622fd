"""One self-contained HTML page for an evaluation: figures, curves, hardest pairs, a map of templates."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embedding.image import ImageLimits, decode
from training.charts import Axis, Line, line_chart, scatter
from training.comparisons import BIN_WIDTH, Pairs
from training.evaluation import SUSPECT_D, Evaluation, Evidence, Rate
from training.metrics import RateCurve
from training.pictures import Pictures

HARDEST = 12
"""Pairs shown of each kind."""
THUMBNAIL = 84
MAP_PEOPLE, MAP_PICTURES = 30, 400
"""At most, on the map of templates: more colours are not told apart."""


@dataclass(frozen=True)
class Chart:
    """A drawing under its title."""

    title: str
    svg: str


@dataclass(frozen=True)
class ShownPair:
    """Two pictures as `data:` addresses, with their names and distance."""

    a: str
    b: str
    a_name: str
    b_name: str
    d: float


@dataclass(frozen=True)
class Shown:
    """Pairs under a title."""

    title: str
    pairs: Sequence[ShownPair]


def write_report(path: Path, evaluation: Evaluation, evidence: Evidence, pictures: Pictures) -> None:
    """Write the page; it holds pictures of people, so keep it where the pictures may be kept."""
    mated, close = evidence.comparisons.mated, evidence.comparisons.close
    hardest_mated = mated.where(np.arange(len(mated)) >= len(mated) - HARDEST)
    hardest_non_mated = close.where(np.arange(len(close)) < HARDEST)
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    )
    page = template.render(
        e=evaluation,
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        charts=charts(evidence),
        galleries=[
            Shown("One person, farthest apart", _shown(hardest_mated, evidence, pictures)[::-1]),
            Shown("Two people, nearest to each other", _shown(hardest_non_mated, evidence, pictures)),
        ],
        percent=percent,
        interval=interval,
        suspect_d=SUSPECT_D,
    )
    path.write_text(page, encoding="utf-8")


def percent(rate: float) -> str:
    """A rate for people."""
    return f"{100 * rate:.2f} %"


def interval(rate: Rate) -> str:
    """Both ends of an interval, or that it is not known."""
    return "interval unknown" if rate.interval is None else " to ".join(map(percent, rate.interval))


def charts(evidence: Evidence) -> list[Chart]:
    """DET, ROC, distributions, and the map where scikit-learn is installed."""
    curve = evidence.curve
    lowest = 10.0 ** np.floor(np.log10(1 / curve.non_mated))
    fmr = Axis("FMR", lowest, 1, logarithmic=True)
    fnmr = Axis("FNMR", 10.0 ** np.floor(np.log10(1 / curve.mated)), 1, logarithmic=True)
    det = line_chart("DET", fmr, fnmr, [Line("", curve.fmr, curve.fnmr)])
    roc = line_chart("ROC", fmr, Axis("1 − FNMR", 0, 1), [Line("", curve.fmr, 1 - curve.fnmr)])
    drawn = [Chart("DET", det), Chart("ROC", roc), Chart("Distances", _distributions(curve))]
    plane = _map(evidence)
    return [*drawn, Chart("Templates of some people (t-SNE)", plane)] if plane else drawn


def _distributions(curve: RateCurve) -> str:
    """Shares of mated and non-mated comparisons over d, in 80 steps."""
    edges = np.linspace(0, 4, 81)
    at = np.searchsorted(curve.thresholds, edges + BIN_WIDTH / 2, side="right") - 1
    shares = [
        np.diff(matches[at] / matches[-1]) for matches in (curve.mated_matches, curve.non_mated_matches)
    ]
    middle = (edges[1:] + edges[:-1]) / 2
    lines = [Line("mated", middle, shares[0]), Line("non-mated", middle, shares[1])]
    return line_chart("Distances", Axis("d", 0, 4), Axis("share", 0, float(np.max(shares))), lines)


def _map(evidence: Evidence) -> str | None:
    """t-SNE of the people with most pictures; None without scikit-learn, or with too few pictures."""
    sizes = evidence.comparisons.sizes
    most = np.argsort(-sizes, kind="stable")[:MAP_PEOPLE]
    chosen = np.flatnonzero(np.isin(evidence.identity, most))[:MAP_PICTURES]
    if find_spec("sklearn") is None or len(chosen) < 10:
        return None
    from sklearn.manifold import TSNE  # heavy, and absent from the base install

    plane: NDArray[np.float32] = TSNE(
        perplexity=min(15, len(chosen) // 4), init="pca", random_state=0
    ).fit_transform(evidence.vectors[chosen])
    return scatter("Templates of some people", plane, evidence.identity[chosen])


def _shown(pairs: Pairs, evidence: Evidence, pictures: Pictures) -> list[ShownPair]:
    names = [(evidence.names[a], evidence.names[b]) for a, b in zip(pairs.a, pairs.b, strict=True)]
    return [
        ShownPair(_thumbnail(pictures, a), _thumbnail(pictures, b), a, b, float(d))
        for (a, b), d in zip(names, pairs.d, strict=True)
    ]


def _thumbnail(pictures: Pictures, name: str) -> str:
    """A small JPEG inside the page; pictures of evaluation sets show the face at their centre."""
    image = Image.fromarray(decode(pictures.read(name), ImageLimits()))
    image.thumbnail((2 * THUMBNAIL, 2 * THUMBNAIL))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
