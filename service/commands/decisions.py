"""A decision in words."""

from rich.console import Console

from embedding.calibration import Calibration
from service.decisions.decision import Decision, Outcome

WORDS = {
    Outcome.MATCH: ("MATCH", "bold green"),
    Outcome.REFER: ("REFER: a person decides", "bold yellow"),
    Outcome.NO_MATCH: ("NO MATCH", "bold red"),
}


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
