"""The figures of a running training, read from its log."""

from typing import Any

from training.engine.run import RunFolder
from training.jobs.lease import Lease

FIGURES = ("losses", "images_per_second", "held_out_fnmr")
"""Of a line of the metrics."""

Facts = dict[str, Any]


class ProgressFigures:
    """What a training logs, for whoever follows the job.

    Args:
        run: Of the training.
        lease: On the job.
    """

    def __init__(self, run: RunFolder, lease: Lease) -> None:
        self._run = run
        self._lease = lease
        self._judged = len(self._read_judgements())

    def read(self, step: int, steps: int) -> Facts:
        """The newest losses and rates; each new judgement becomes a line of the log."""
        judgements = self._read_judgements()
        for line in judgements[self._judged :]:
            rates = ", ".join(f"{rate:.4f} at {float(fmr):g}" for fmr, rate in line["held_out_fnmr"].items())
            self._lease.log(f"step {line['step']}: FNMR of people held out {rates}")
        self._judged = len(judgements)
        found: Facts = {"step": step, "steps": steps}
        for line in self._read_lines()[-20:]:
            found |= {name: line[name] for name in FIGURES if name in line}
        return found

    def _read_judgements(self) -> list[Facts]:
        return [line for line in self._read_lines() if "held_out_fnmr" in line]

    def _read_lines(self) -> list[Facts]:
        return self._run.metrics() if (self._run.path / "metrics.jsonl").is_file() else []
