"""Judges an embedding network while it trains: how good it is on the people held out."""

import math
from typing import Any

from training.embedder.distributed import Process
from training.embedder.material import Material
from training.embedder.state import Training
from training.embedder.validation import choose_headline_fnmr, measure_fnmr
from training.engine.keeper import Keeper, Pace
from training.engine.run import RunFolder, save_checkpoint
from training.networks.backbones import build_network
from training.networks.embedder import FaceEmbedder


class EmbedderKeeper(Keeper):
    """Keeps, beside the last checkpoint, the one that was best on the people held out."""

    def __init__(self, run: RunFolder, training: Training, material: Material, process: Process) -> None:
        machine = training.recipe.machine
        pace = Pace(machine.log_steps, machine.checkpoint_minutes, machine.judge_minutes)
        super().__init__(run, training, pace, writes=process.writes)
        self.training = training
        self.material = material
        self.process = process
        self.judged_network = build_network(training.recipe.network).to(process.device)
        self.best = _read_best(run)

    def judge(self, checkpoint: dict[str, Any]) -> None:
        """Keep the checkpoint as the best if none before was as good, or if nobody is held out."""
        fnmr = self.measure_held_out()
        if fnmr:
            self.run.log(step=self.training.step, samples=self.training.samples, held_out_fnmr=fnmr)
        if not fnmr or choose_headline_fnmr(fnmr) < self.best:
            self.best = choose_headline_fnmr(fnmr) if fnmr else self.best
            save_checkpoint(self.run.best, checkpoint)

    def build_averaged_network(self) -> FaceEmbedder:
        """The network as it would be exported now."""
        self.judged_network.load_state_dict(self.training.average.values)
        return self.judged_network

    def measure_held_out(self) -> dict[float, float]:
        """FNMR of the averaged network by FMR; empty where nobody is held out."""
        identities = self.material.split.calibrate
        if not identities:
            return {}
        return measure_fnmr(
            self.build_averaged_network(), self.material.faces, identities, self.process.device
        )


def _read_best(run: RunFolder) -> float:
    """What the best checkpoint of an interrupted training reached; infinity where there is none."""
    if not run.best.is_file():
        return math.inf
    found = [line["held_out_fnmr"] for line in run.metrics() if "held_out_fnmr" in line]
    return min(
        (choose_headline_fnmr({float(fmr): rate for fmr, rate in fnmr.items()}) for fnmr in found),
        default=math.inf,
    )
