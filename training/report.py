"""One self-contained HTML page for an evaluation: figures, curves, hardest pairs, a map of templates."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.charts import Axis, Line, line_chart, scatter
from training.comparisons import BIN_WIDTH, Pairs
from training.evaluation import SUSPECT_D, Evaluation, Evidence
from training.metrics import RateCurve
from training.page import Chart, Shown, ShownPair, shown_pair, write_page
from training.pictures import Pictures

HARDEST = 12
"""Pairs shown of each kind."""
MAP_PEOPLE, MAP_PICTURES = 30, 400
"""At most, on the map of templates: more colours are not told apart."""


def write_report(path: Path, evaluation: Evaluation, evidence: Evidence, pictures: Pictures) -> None:
    """Write the page; it holds pictures of people, so keep it where the pictures may be kept."""
    mated, close = evidence.comparisons.mated, evidence.comparisons.close
    hardest_mated = mated.where(np.arange(len(mated)) >= len(mated) - HARDEST)
    hardest_non_mated = close.where(np.arange(len(close)) < HARDEST)
    write_page(
        path,
        "report.html",
        e=evaluation,
        charts=charts(evidence),
        galleries=[
            Shown("One person, farthest apart", _shown(hardest_mated, evidence, pictures)[::-1]),
            Shown("Two people, nearest to each other", _shown(hardest_non_mated, evidence, pictures)),
        ],
        suspect_d=SUSPECT_D,
    )


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
    return [shown_pair(pictures.read, pair, float(d)) for pair, d in zip(names, pairs.d, strict=True)]
