"""Several processes, one batch: what each computes of its part is gathered, and so is the gradient.

A loss on pairs must see every pair, and a normalisation must see every face; the mean of what each process
makes of its own part is something else. So all processes compute the same loss on the joint batch, and
`DistributedDataParallel` averages gradients of which each process holds its own part, `of` times."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from training.embedder.batches import Part


def count_processes() -> int:
    """How many train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def join_batch(x: Tensor) -> Tensor:
    """(b, …) of each of k processes → (k b, …) in the order of one process: part r is every k-th row."""
    if count_processes() == 1:
        return x
    join_processes: Tensor = _Joined.apply(x)  # type: ignore[no-untyped-call]
    return join_processes


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(count_processes())]
        distributed.all_gather(parts, x.contiguous())
        return torch.stack(parts, dim=1).flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # Every process has the gradient of the whole already; the factor undoes the mean over processes.
        return gradient[distributed.get_rank() :: count_processes()] * count_processes()


class _Sum(torch.autograd.Function):
    """The sum over processes, and of the gradients that come back to each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class JointBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation by the statistics of the joined batch; torch's own runs on a GPU only."""

    def _check_input_dim(self, x: Tensor) -> None:
        """Any shape with channels in its second place."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, …) to the same."""
        if not self.training or count_processes() == 1:
            return super().forward(x)
        precise = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        places = [0, *range(2, x.ndim)]
        shape = (1, -1) + (1,) * (x.ndim - 2)
        count = count_processes() * x.numel() // x.shape[1]
        mean: Tensor = _Sum.apply(precise.sum(places)) / count  # type: ignore[no-untyped-call]
        centred = precise - mean.view(shape)
        variance: Tensor = _Sum.apply(centred.square().sum(places)) / count  # type: ignore[no-untyped-call]
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1


def join_norms(module: nn.Module) -> None:
    """Lets every batch normalisation see the joined batch; its parameters stay the same tensors."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            norm = JointBatchNorm(child.num_features, child.eps, child.momentum)
            norm.__dict__.update(child.__dict__)
            setattr(module, name, norm)
        else:
            join_norms(child)


def freeze_norms(module: nn.Module) -> None:
    """Keeps the statistics of every batch normalisation as they are; its scale and bias are still trained."""
    for child in module.modules():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            child.eval()


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
def join_processes(threads: int) -> Iterator[Process]:
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
