"""The training loop of every network."""

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from torch import Tensor, nn

from training.engine.keeper import Keeper
from training.engine.optimise import learning_rate
from training.engine.trainee import Trainee
from training.errors import LossNotFinite, TrainingStopped

B = TypeVar("B")


def run_steps(
    trainee: Trainee[B],
    batches: Iterable[B],
    keeper: Keeper,
    report: Callable[[int, int], Any],
    stop: Callable[[int, int], bool] | None = None,
) -> None:
    """Train on one batch after another, until there is none or the schedule ends; save what came of it.

    Args:
        trainee: What is trained.
        batches: One for each step.
        keeper: Logs and saves.
        report: Told after every step, with the samples seen and those in all.
        stop: Asked after every step, with the steps done and those in all, whether to stop there.

    Raises:
        CheckpointNotSaved: If the disk is full; the former checkpoint is whole.
        LossNotFinite: If the training diverges; the weights are as they were before that step.
        TrainingStopped: If it was told to stop; the last checkpoint holds all of it.
    """
    steps = trainee.schedule.steps
    if trainee.step < steps:
        for batch in batches:
            try:
                terms = take_step(trainee, batch)
            except FloatingPointError as error:
                raise LossNotFinite(trainee.step + 1, keeper.run.last) from error
            keeper.after_step(terms)
            report(trainee.samples, round(trainee.samples / trainee.step * steps))
            if stop is not None and stop(trainee.step, steps):
                keeper.save()
                raise TrainingStopped(trainee.step)
            if trainee.step == steps:
                break
    keeper.save()


def take_step(trainee: Trainee[B], batch: B) -> Tensor:
    """One step of the optimiser; returns the (terms,) losses before it.

    Raises:
        FloatingPointError: If the loss or its gradient is not finite; the weights are as they were.
    """
    for group in trainee.optimiser.param_groups:
        group["lr"] = learning_rate(trainee.schedule, trainee.step)
    terms = trainee.losses(batch)
    loss = terms @ trainee.weights
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(trainee.parameters(), trainee.schedule.clip)
    if not math.isfinite(loss.item() + norm.item()):
        raise FloatingPointError
    trainee.optimiser.step()
    trainee.optimiser.zero_grad()
    trainee.average.update(trainee.network, trainee.step)
    trainee.step += 1
    return terms.detach()
