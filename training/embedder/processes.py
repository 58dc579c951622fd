"""This process among those that train together: alone, or one of several that `torchrun` started."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from training.embedder.batches import Part
from training.embedder.joint import join_norms

LONGEST_WAIT = timedelta(hours=6)
"""Of the others for the one that mines, or asks a teacher about every face."""


@dataclass(frozen=True)
class Process:
    """Where this process computes, and which part of each batch it sees."""

    part: Part
    device: torch.device

    @property
    def writes(self) -> bool:
        """Whether this is the one process that writes checkpoints and shows progress."""
        return self.part.rank == 0

    def wait(self) -> None:
        """Returns once all processes have come here."""
        if self.part.of > 1:
            distributed.barrier()

    def share(self, module: nn.Module, *, unused: bool) -> nn.Module:
        """The module as one over all processes; `unused` allows parameters without a gradient.

        Its normalisations see the joined batch. Its loss must, too (`joined_batch`): gradients are then those
        of one process with the joined batch.
        """
        if self.part.of == 1:
            return module
        join_norms(module)
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices, find_unused_parameters=unused)


@contextmanager
def joined(threads: int) -> Iterator[Process]:
    """Joins the group if `torchrun` started this process; leaves it at the end."""
    torch.set_num_threads(threads)
    cuda = torch.cuda.is_available()
    if not distributed.is_torchelastic_launched():
        yield Process(Part(), torch.device("cuda" if cuda else "cpu"))
        return
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=LONGEST_WAIT)
    rank, of = distributed.get_rank(), distributed.get_world_size()
    device = torch.device("cuda", rank % torch.cuda.device_count()) if cuda else torch.device("cpu")
    try:
        yield Process(Part(rank, of), device)
    finally:
        distributed.destroy_process_group()
