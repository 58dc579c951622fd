"""How commands speak: one JSON document on stdout, or text for people."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from embedding.calibration import Calibration
from service.decision import Decision, Outcome

WORDS = {
    Outcome.MATCH: ("MATCH", "bold green"),
    Outcome.REFER: ("REFER: a person decides", "bold yellow"),
    Outcome.NO_MATCH: ("NO MATCH", "bold red"),
}


def show_json(document: BaseModel | Mapping[str, Any]) -> None:
    """Print one JSON document and nothing else."""
    if isinstance(document, BaseModel):
        typer.echo(document.model_dump_json(indent=2))
    else:
        typer.echo(json.dumps(document, indent=2, default=str))


def show_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print rows under their headings; an absent value is a dash."""
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    # Written to a pipe, a row stays on one line: people grep for ids.
    console = Console(soft_wrap=True)
    console.print(table, soft_wrap=not console.is_terminal)


def show_decision(decision: Decision, calibration: Calibration, question: str) -> None:
    """Print a decision with the error rates it rests on."""
    word, style = WORDS[decision.decision]
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[{style}]{word}[/]  {question}", markup=True)
    threshold, fmr = decision.threshold, decision.fmr
    console.print(
        f"d = {decision.d:.3f}; match up to {threshold.match:.3f} (FMR {fmr.match:g}), "
        f"refer up to {threshold.refer:.3f} (FMR {fmr.refer:g})"
    )
    console.print(rarity(decision, calibration))
    if not decision.probe_quality.acceptable:
        console.print(f"Picture quality: {', '.join(decision.probe_quality.reasons)}.")


def rarity(decision: Decision, calibration: Calibration) -> str:
    """How many strangers would be as near, as far as the calibration can tell."""
    if decision.fmr.at_d is not None:
        share, rate = "About", decision.fmr.at_d
    elif decision.d < calibration.curve[0].d:
        share, rate = "Fewer than", calibration.smallest_fmr
    else:
        share, rate = "More than", calibration.largest_fmr
    return (
        f"{share} 1 in {round(1 / rate):,} strangers would be this near (measured on "
        f"{calibration.non_mated:,} comparisons of {calibration.identities:,} people)."
    )
