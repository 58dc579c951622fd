"""One self-contained HTML page for an evaluation: figures, curves, hardest pairs, a map of templates."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.pictures import Pictures
from training.evaluation.comparisons import BIN_WIDTH, Pairs
from training.evaluation.error_rates import RateCurve
from training.evaluation.evaluation import SUSPECT_D, Evaluation, Evidence
from training.reports.charts import Axis, Line, line_chart, scatter_chart
from training.reports.page import Chart, Shown, ShownPair, build_pair, write_page

HARDEST = 12
"""Pairs shown of each kind."""
MAP_PEOPLE, MAP_PICTURES = 30, 400
"""Most people on the map of templates: more colours cannot be told apart."""


def write_report(path: Path, evaluation: Evaluation, evidence: Evidence, pictures: Pictures) -> None:
    """Write the page; it contains pictures of people, so keep it where such pictures may be kept."""
    write_page(
        path,
        "evaluation.html",
        e=evaluation,
        charts=draw_charts(evidence),
        galleries=find_hardest(evidence, pictures),
        suspect_d=SUSPECT_D,
    )


def find_hardest(evidence: Evidence, pictures: Pictures) -> list[Shown]:
    """The mated pairs farthest apart, and the non-mated ones nearest to each other."""
    mated, close = evidence.comparisons.mated, evidence.comparisons.close
    far = mated.where(np.arange(len(mated)) >= len(mated) - HARDEST)
    near = close.where(np.arange(len(close)) < HARDEST)
    return [
        Shown("One person, farthest apart", _build_shown(far, evidence, pictures)[::-1]),
        Shown("Two people, nearest to each other", _build_shown(near, evidence, pictures)),
    ]


def draw_charts(evidence: Evidence) -> list[Chart]:
    """DET, ROC, distributions, and the map if scikit-learn is installed."""
    curve = evidence.curve
    fmr = Axis("FMR", _decade(curve.non_mated), 1, logarithmic=True)
    roc = line_chart("ROC", fmr, Axis("1 − FNMR", 0, 1), [Line("", curve.fmr, 1 - curve.fnmr)])
    drawn = [draw_det({"": curve}), Chart("ROC", roc), draw_distributions(curve)]
    plane = _draw_map(evidence)
    return [*drawn, Chart("Templates of some people (t-SNE)", plane)] if plane else drawn


def draw_det(curves: Mapping[str, RateCurve]) -> Chart:
    """FNMR over FMR of one or several models."""
    lowest = min(_decade(curve.non_mated) for curve in curves.values())
    fmr = Axis("FMR", lowest, 1, logarithmic=True)
    fnmr = Axis("FNMR", min(_decade(curve.mated) for curve in curves.values()), 1, logarithmic=True)
    lines = [Line(name, curve.fmr, curve.fnmr) for name, curve in curves.items()]
    return Chart("DET", line_chart("DET", fmr, fnmr, lines))


def _decade(comparisons: int) -> float:
    """The power of ten at or below one error in this many comparisons."""
    return float(10.0 ** np.floor(np.log10(1 / comparisons)))


def draw_distributions(curve: RateCurve, title: str = "Distances") -> Chart:
    """Shares of mated and non-mated comparisons over d, in 80 steps."""
    edges = np.linspace(0, 4, 81)
    at = np.searchsorted(curve.thresholds, edges + BIN_WIDTH / 2, side="right") - 1
    shares = [
        np.diff(matches[at] / matches[-1]) for matches in (curve.mated_matches, curve.non_mated_matches)
    ]
    middle = (edges[1:] + edges[:-1]) / 2
    lines = [Line("mated", middle, shares[0]), Line("non-mated", middle, shares[1])]
    return Chart(title, line_chart(title, Axis("d", 0, 4), Axis("share", 0, float(np.max(shares))), lines))


def _draw_map(evidence: Evidence) -> str | None:
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
    return scatter_chart("Templates of some people", plane, evidence.identity[chosen])


def _build_shown(pairs: Pairs, evidence: Evidence, pictures: Pictures) -> list[ShownPair]:
    names = [(evidence.names[a], evidence.names[b]) for a, b in zip(pairs.a, pairs.b, strict=True)]
    return [build_pair(pictures.read, pair, float(d)) for pair, d in zip(names, pairs.d, strict=True)]
