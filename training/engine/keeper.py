"""Writes metrics and checkpoints while a network is trained."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training.engine.run import RunFolder, save_checkpoint
from training.engine.trainee import Trainee


@dataclass(frozen=True)
class Pace:
    """How often a keeper writes.

    Attributes:
        log_steps: Steps between two lines of the metrics.
        checkpoint_minutes: At most so much work is lost by a fault.
        judge_minutes: Between two judgements, which take their time; at every checkpoint where it is shorter.
    """

    log_steps: int = 50
    checkpoint_minutes: float = 2.0
    judge_minutes: float = 0.0


class Keeper:
    """Logs the losses every few steps and saves the training every few minutes.

    Args:
        run: Where metrics and checkpoints go.
        trainee: What is trained.
        pace: How often.
        writes: Whether this process writes; of several only one does.
    """

    def __init__(self, run: RunFolder, trainee: Trainee[Any], pace: Pace, *, writes: bool = True) -> None:
        self.run = run
        self.trainee = trainee
        self.pace = pace
        self.writes = writes
        self.saved_at = self.judged_at = self.logged_at = time.monotonic()
        self.unlogged: list[Tensor] = []
        self.samples = trainee.samples

    def after_step(self, terms: Tensor) -> None:
        """Log and save where it is time to.

        Args:
            terms: (terms,) losses of the step.
        """
        self.unlogged.append(terms)
        if self.trainee.step % self.pace.log_steps == 0:
            self.log()
        now = time.monotonic()
        if now - self.saved_at > 60 * self.pace.checkpoint_minutes:
            if now - self.judged_at > 60 * self.pace.judge_minutes:
                self.save()
            elif self.writes:
                save_checkpoint(self.run.last, self.trainee.checkpoint())
                self.saved_at = time.monotonic()

    def log(self) -> None:
        """One line: the mean of each loss since the last one, and how fast it goes."""
        now, samples = time.monotonic(), self.trainee.samples
        if self.writes:
            means = torch.stack(self.unlogged).mean(0).tolist()
            self.run.log(
                step=self.trainee.step,
                samples=samples,
                losses=dict(zip(self.trainee.names, means, strict=True)),
                learning_rate=self.trainee.optimiser.param_groups[0]["lr"],
                images_per_second=round((samples - self.samples) / (now - self.logged_at), 1),
            )
        self.unlogged, self.logged_at, self.samples = [], now, samples

    def save(self) -> None:
        """Save the training, and judge it.

        Raises:
            CheckpointNotSaved: If the disk is full.
        """
        if not self.writes:
            return
        checkpoint = self.trainee.checkpoint()
        save_checkpoint(self.run.last, checkpoint)
        self.judge(checkpoint)
        self.saved_at = self.judged_at = time.monotonic()

    def judge(self, checkpoint: dict[str, Any]) -> None:
        """Keep the checkpoint as the best, if it is; here nothing is judged."""
