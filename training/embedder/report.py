"""One self-contained page for a training and its outcome: what a person reads before they promote a model."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.data.pictures import Pictures
from training.engine.run import RunFolder
from training.evaluation.gate import ModelComparison, Side
from training.mining.pool import Triplets, read_triplets
from training.mining.review import POOL, REVIEW
from training.reports.charts import Axis, Line, line_chart
from training.reports.evaluation import draw_det, draw_distributions, find_hardest
from training.reports.page import Chart, Shown, ShownPair, build_pair, write_page

SHOWN = 12
"""Pairs of each kind."""
LOWEST_RATE = 1e-4
"""Of the curves over the training; a rate of 0 is drawn here."""

Read = Callable[[str], bytes]


def write_run_report(
    path: Path,
    run: RunFolder,
    comparison: ModelComparison,
    pictures: Pictures,
    *,
    mined: Path | None = None,
    command: str | None = None,
    anchor: str = "",
) -> None:
    """Write the page; it holds pictures of people, so keep it where the pictures may be kept.

    Args:
        path: Of the page.
        run: The training.
        comparison: Of the model it made with the one in use.
        pictures: Those compared, and those that were mined.
        mined: Folder of what was mined before the training; what was mined in the run is found there.
        command: What was called, where the run does not tell.
        anchor: What held the training to the model in use, in words.
    """
    record = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    lists = [each for each in (mined, run.path / "mined") if each is not None and (each / REVIEW).is_file()]
    write_page(
        path,
        "run.html",
        g=comparison.record,
        run=record,
        recipe=format_recipe(record["recipe"]),
        split=_read_split(run.path / "split.json"),
        command=command or record.get("command", "not recorded"),
        anchor=anchor,
        calibrations=[
            {"name": name, "record": side.embedder.bundle.manifest.calibration}
            for name, side in _name_sides(comparison)
        ],
        curves=draw_training_charts(run.metrics()),
        charts=_draw_charts(comparison),
        hardest=find_hardest(comparison.candidate.evidence, pictures),
        mined=[shown for folder in lists for shown in _show_mining(folder, pictures, before=folder == mined)],
    )


def _name_sides(comparison: ModelComparison) -> list[tuple[str, Side]]:
    return [("model in use", comparison.incumbent), ("candidate", comparison.candidate)]


def _draw_charts(comparison: ModelComparison) -> list[Chart]:
    curves = {name: side.evidence.curve for name, side in _name_sides(comparison)}
    return [
        draw_det(curves),
        *(draw_distributions(curve, f"Distances of the {name}") for name, curve in curves.items()),
    ]


def draw_training_charts(metrics: Iterable[dict[str, Any]]) -> list[Chart]:
    """Each loss, misses on the people held out, and the learning rate, over the steps.

    Args:
        metrics: Lines of a run; of a step that was done twice, the second counts.
    """
    lines = list(metrics)
    logged = {line["step"]: line for line in lines if "losses" in line}
    judged = {line["step"]: line["held_out_fnmr"] for line in lines if line.get("held_out_fnmr")}
    last = max([*logged, *judged], default=0)
    if not last:
        return []
    steps = Axis("step", 0, last)
    charts = [
        _draw_loss(name, logged, steps) for name in next(iter(logged.values()), {"losses": {}})["losses"]
    ]
    if judged:
        charts.append(_draw_misses(judged, steps))
    if logged:
        rates = [line["learning_rate"] for line in logged.values()]
        y = Axis("", 0, max(rates) or 1)
        charts.append(
            Chart("Learning rate", line_chart("Learning rate", steps, y, [Line("", list(logged), rates)]))
        )
    return charts


def _draw_loss(name: str, logged: dict[int, dict[str, Any]], steps: Axis) -> Chart:
    values = np.array([line["losses"][name] for line in logged.values()])
    low, high = float(values.min()), float(values.max())
    y = Axis("", low, high if high > low else low + 1)
    return Chart(f"Loss {name}", line_chart(f"Loss {name}", steps, y, [Line("", list(logged), values)]))


def _draw_misses(judged: dict[int, dict[str, float]], steps: Axis) -> Chart:
    """FNMR at each false match rate of the people held out to calibrate."""
    title = "Misses on people held out, while training"
    lowest = min(rate for rates in judged.values() for rate in rates.values())
    floor = 10.0 ** np.floor(np.log10(max(lowest, LOWEST_RATE)))
    lines = [
        Line(
            f"FMR {float(fmr):g}",
            list(judged),
            [max(rates.get(fmr, 1.0), floor) for rates in judged.values()],
        )
        for fmr in next(iter(judged.values()))
    ]
    return Chart(title, line_chart(title, steps, Axis("FNMR", min(floor, 0.1), 1, logarithmic=True), lines))


def _show_mining(folder: Path, pictures: Pictures, *, before: bool) -> list[Shown]:
    """Hardest negatives and probable label noise of one mining."""
    when = "before the training" if before else "last, while training"
    pools = sorted(folder.glob(f"*{POOL}"))
    triplets = read_triplets(pools[-1], list(pictures.identity)) if pools else Triplets.empty()
    suspects = json.loads((folder / REVIEW).read_text(encoding="utf-8"))["suspects"]
    total = f"{len(triplets):,} triplets; the nearest of each pair of people, those nearest first."
    return [
        Shown(f"Hard negatives mined {when}", _show_hardest(triplets, pictures), total),
        Shown(
            f"Suspected label errors, mined {when}",
            _show_suspects(suspects, pictures),
            f"{len(suspects):,} pairs of people were held back; review.html beside the list has them.",
        ),
    ]


def _show_hardest(triplets: Triplets, pictures: Pictures) -> list[ShownPair]:
    names = list(pictures.identity)
    shown: dict[tuple[str, ...], ShownPair] = {}
    for place in range(len(triplets)):
        a, b = names[triplets.anchor[place]], names[triplets.negative[place]]
        people = tuple(sorted((pictures.identity[a], pictures.identity[b])))
        if people not in shown and len(shown) < SHOWN:
            note = "known confusion" if triplets.known[place] else ""
            shown[people] = build_pair(pictures.read, (a, b), float(triplets.d_negative[place]), note)
    return list(shown.values())


def _show_suspects(suspects: Sequence[dict[str, Any]], pictures: Pictures) -> list[ShownPair]:
    here = [each for each in suspects if each["a"] in pictures.identity and each["b"] in pictures.identity]
    return [build_pair(pictures.read, (each["a"], each["b"]), each["d"]) for each in here[:SHOWN]]


def _read_split(path: Path) -> dict[str, int]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return {part: len(content[part]) for part in ("calibrate", "test")}


def format_recipe(recipe: dict[str, Any], place: str = "") -> str:
    """A recipe as one reads it in its file: tables under their names, values as JSON."""
    plain = {key: value for key, value in recipe.items() if not _is_table(value)}
    lines = [f"[{place}]"] if place and plain else []
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    for key, value in recipe.items():
        name = f"{place}.{key}" if place else key
        if isinstance(value, dict) and value:
            lines += ["", format_recipe(value, name)]
        elif _is_table(value):
            lines += [part for each in value for part in ("", f"[[{name}]]", *_format_pairs(each))]
    return "\n".join(lines).strip()


def _is_table(value: Any) -> bool:
    return (isinstance(value, dict) and bool(value)) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    )


def _format_pairs(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
