"""Draw how a bundle's network improved, from the curve of its training."""

import json
from pathlib import Path

from training.errors import FiguresInvalid
from training.reports.charts import Axis, Line, line_chart

CURVE = "curve.jsonl"
FMRS = {"0.001": "1e-3", "0.0001": "1e-4"}
MORE_PICTURES = 9
"""From this stage on the people held out for calibration have more pictures, and other figures."""

STYLE = (
    "<style>text{font:12px sans-serif;fill:#24292f}.axis{fill:none;stroke:#57606a}"
    ".grid{fill:none;stroke:#d0d7de;stroke-width:.5}svg{background:#fff}</style>"
)


def draw_curve(bundle: Path, picture: Path) -> None:
    """Draw FNMR on held-out people over the views of all stages, as an SVG file.

    Raises:
        FiguresInvalid: If the bundle has no curve, or one that cannot be read.
    """
    judged = _read_judgements(bundle / CURVE)
    most = max(views for views, _, _ in judged) / 1e6
    lines = [
        Line(f"{name}, {stages}", *zip(*points, strict=True))
        for stages, later in ((f"to stage {MORE_PICTURES - 1}", False), (f"from {MORE_PICTURES}", True))
        for fmr, name in FMRS.items()
        if (
            points := [
                (views / 1e6, 100 * fnmr[fmr])
                for views, stage, fnmr in judged
                if (stage >= MORE_PICTURES) is later
            ]
        )
    ]
    chart = line_chart(
        "FNMR of the people held out for calibration",
        Axis("views learned, in millions", 0, most),
        Axis("FNMR (%) at FMR 1e-3 and 1e-4", 0, 80),
        lines,
    )
    standing = chart.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="620" ', 1)
    picture.write_text(standing.replace("</title>", "</title>" + STYLE, 1) + "\n", encoding="utf-8")


def _read_judgements(path: Path) -> list[tuple[int, int, dict[str, float]]]:
    """For every judgement: views so far, stage, and FNMR at each FMR."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        begun, before, stage, found = 0, 0, 1, []
        for row in rows:
            if row.get("stage", 1) != stage:
                begun, stage = begun + before, row["stage"]
            before = row["samples"]
            if "held_out_fnmr" in row:
                found.append((begun + before, stage, row["held_out_fnmr"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FiguresInvalid(path, "it is no curve of a training") from error
    if not found:
        raise FiguresInvalid(path, "nobody held out was judged in it")
    return found
