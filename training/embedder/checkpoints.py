"""Watches a training: metrics, checkpoints, and how good the network is on the people held out."""

import math
import time

import torch
from torch import Tensor

from training.embedder.distributed import Process
from training.embedder.material import Material
from training.embedder.run import RunFolder, save_checkpoint
from training.embedder.state import Training
from training.embedder.validation import held_out_fnmr, judged
from training.networks.backbones import build_network
from training.networks.embedder import FaceEmbedder


class Keeper:
    """Writes metrics and checkpoints while a training runs, and judges it on the people held out."""

    def __init__(self, run: RunFolder, training: Training, material: Material, process: Process) -> None:
        self.run = run
        self.training = training
        self.material = material
        self.process = process
        self.judge = build_network(training.recipe.network).to(process.device)
        self.saved_at = self.judged_at = self.logged_at = time.monotonic()
        self.best = _best_so_far(run)
        self.unlogged: list[Tensor] = []

    def after_step(self, terms: Tensor) -> None:
        """Logs every few steps, saves every few minutes.

        Args:
            terms: (terms,) losses of the step.
        """
        machine = self.training.recipe.machine
        self.unlogged.append(terms)
        if self.training.step % machine.log_steps == 0:
            self.log()
        now = time.monotonic()
        if now - self.saved_at > 60 * machine.checkpoint_minutes:
            if now - self.judged_at > 60 * machine.judge_minutes:
                self.save()
            elif self.process.writes:
                save_checkpoint(self.run.last, self.training.checkpoint())
                self.saved_at = time.monotonic()

    def log(self) -> None:
        """One line: the mean of each loss since the last one, and how fast it goes."""
        now, steps = time.monotonic(), len(self.unlogged)
        if self.process.writes:
            batch = self.training.recipe.optimiser.batch
            names = [part.name for part in self.training.recipe.losses]
            means = torch.stack(self.unlogged).mean(0).tolist()
            self.run.log(
                step=self.training.step,
                samples=self.training.step * batch,
                losses=dict(zip(names, means, strict=True)),
                learning_rate=self.training.optimiser.param_groups[0]["lr"],
                images_per_second=round(steps * batch / (now - self.logged_at), 1),
            )
        self.unlogged, self.logged_at = [], now

    def save(self) -> None:
        """Saves the training; if no former state was as good on the people held out, as the best too.

        Raises:
            CheckpointNotSaved: If the disk is full.
        """
        if not self.process.writes:
            return
        checkpoint = self.training.checkpoint()
        save_checkpoint(self.run.last, checkpoint)
        fnmr = self.judged()
        if fnmr:
            self.run.log(step=self.training.step, samples=checkpoint["samples"], held_out_fnmr=fnmr)
        if not fnmr or judged(fnmr) < self.best:
            self.best = judged(fnmr) if fnmr else self.best
            save_checkpoint(self.run.best, checkpoint)
        self.saved_at = self.judged_at = time.monotonic()

    def averaged(self) -> FaceEmbedder:
        """The network as it would be exported now."""
        self.judge.load_state_dict(self.training.average.values)
        return self.judge

    def judged(self) -> dict[float, float]:
        """FNMR of the averaged network by FMR; empty where nobody is held out."""
        identities = self.material.split.calibrate
        if not identities:
            return {}
        return held_out_fnmr(self.averaged(), self.material.faces, identities, self.process.device)


def _best_so_far(run: RunFolder) -> float:
    """What the best checkpoint of an interrupted training reached; infinity where there is none."""
    if not run.best.is_file():
        return math.inf
    found = [line["held_out_fnmr"] for line in run.metrics() if "held_out_fnmr" in line]
    return min((judged({float(fmr): rate for fmr, rate in fnmr.items()}) for fnmr in found), default=math.inf)
