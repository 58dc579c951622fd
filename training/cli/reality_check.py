"""`train --reality-check`: the table of losses, row by row as they are done."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import typer

if TYPE_CHECKING:
    from training.reality_check.check import CheckRow, Score

WIDTHS = (27, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 16, 18, 13)
HEADINGS = (
    "", "R@1", "R@2", "R@4", "R@8", "NMI", "RP", "MAP@R", "EER", "TAR@1 %", "TAR@0.1 %", "MAP@R by fold",
    "joined MAP@R / EER", "rate by fold",
)  # fmt: skip


def check_reality(data: Path, names: Sequence[str], as_json: bool = False) -> None:
    """Trains the methods of these names, or all of them, and prints what each reaches on unseen people."""
    import torch

    from embedding.bundle import SHIPPED
    from embedding.embedder import Embedder
    from training.data.pictures import open_pictures
    from training.errors import UnknownLoss
    from training.reality_check.check import METHODS, Protocol, reality_check

    known = {method.name: method for method in METHODS}
    for name in names:
        if name not in known:
            raise UnknownLoss(name, known)
    torch.set_num_threads(1)
    protocol, pictures, shipped = Protocol(), open_pictures(data), Embedder.open(SHIPPED, threads=1)
    chosen = [known[name] for name in names] or METHODS
    if as_json:
        rows = [row.as_json() for row in reality_check(pictures, chosen, protocol, shipped=shipped)]
        typer.echo(json.dumps({"data": data.name, "protocol": asdict(protocol), "rows": rows}, indent=2))
        return
    typer.echo(
        f"{data.name}: {protocol.folds} folds of people, {protocol.seeds} seeds, {protocol.steps} steps of "
        f"{protocol.identities} × {protocol.each} faces, {protocol.dim} dimensions; "
        f"each loss tuned on {100 * protocol.validation:g} % of the people it may see, learning rates "
        f"{', '.join(f'{rate:g}' for rate in protocol.grid)}; percent, mean ± deviation\n"
    )
    typer.echo(format_row(HEADINGS))
    typer.echo("|" + "|".join("-" * (width + 2) for width in WIDTHS) + "|")
    reality_check(
        pictures,
        chosen,
        protocol,
        finished=lambda row: typer.echo(format_row(format_cells(row))),
        shipped=shipped,
    )


def format_row(columns: Sequence[str]) -> str:
    """One line of the table, which is one in Markdown too."""
    padded = [f"{text:<{width}}" for text, width in zip(columns, WIDTHS, strict=True)]
    return "| " + " | ".join(padded) + " |"


def format_cells(row: "CheckRow") -> list[str]:
    """What a row says; deviations are over folds and seeds."""
    values = np.array([score.row for fold in row.singles for score in fold])
    figures = [f"{mean:.2f} ± {off:.2f}" for mean, off in zip(values.mean(0), values.std(0), strict=True)]
    by_fold = [np.mean([score.map_at_r for score in fold]) for fold in row.singles]
    return [
        row.name,
        *figures,
        " / ".join(f"{value:.2f}" for value in by_fold),
        join_lines(row.joined),
        " / ".join(f"{rate:g}" for rate in row.rates) or "-",
    ]


def join_lines(scores: Sequence["Score"]) -> str:
    """Means over folds of the joined networks."""
    if not scores:
        return "-"
    return f"{np.mean([s.map_at_r for s in scores]):.2f} / {np.mean([s.eer for s in scores]):.2f}"
