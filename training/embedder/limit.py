"""What the machine's arithmetic allows: no training of this network can be faster."""

import time
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from training.networks.backbones import NetworkConfig, build_network
from training.networks.embedder import SIZE

PASSES = 3
"""Forward once; backward for the input of each layer and for its weights."""
TRIED = {"cpu": 256, "cuda": 4096}
"""Side of the matrices that are multiplied to see how fast the machine is: enough to fill it."""
TRYING_SECONDS = 0.1


@dataclass(frozen=True)
class Limit:
    """How many faces a second the arithmetic alone allows.

    Attributes:
        multiply_adds: Of one face through the network.
        machine: Multiply-adds a second, of all cores or devices that compute together.
        precision: In which both count.
    """

    multiply_adds: int
    machine: float
    precision: str

    @property
    def images_per_second(self) -> float:
        """At most; augmentation, a teacher and memory come on top."""
        return self.machine / (PASSES * self.multiply_adds)


def measure_limit(config: NetworkConfig, device: torch.device, *, bf16: bool, cores: int) -> Limit:
    """The limit of a training; quick, unless the processor only imitates bfloat16.

    Args:
        config: Of the network that is trained.
        device: Where.
        bf16: Whether it computes in bfloat16.
        cores: That compute together, or devices: each as fast as the one that is tried.
    """
    kind = torch.bfloat16 if bf16 else torch.float32
    machine = cores * _measure_multiply_adds(device, kind)
    return Limit(count_multiply_adds(config), machine, str(kind).removeprefix("torch."))


def count_multiply_adds(config: NetworkConfig) -> int:
    """Of one face through a network; nothing is computed for it."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        build_network(config).eval()(torch.zeros(1, SIZE, SIZE, 3, dtype=torch.uint8))
    return int(counter.get_total_flops()) // 2


def _measure_multiply_adds(device: torch.device, kind: torch.dtype) -> float:
    """A second: the fastest of a few products of matrices, of two at least, on one core or device."""
    side, threads = TRIED[device.type], torch.get_num_threads()
    matrix = torch.ones(side, side, device=device, dtype=kind)
    torch.set_num_threads(1)  # on a busy machine several wait for each other, and nothing is learnt of any
    try:
        times = [_time_product(matrix), _time_product(matrix)]
        while sum(times) < TRYING_SECONDS:
            times.append(_time_product(matrix))
    finally:
        torch.set_num_threads(threads)
    return side**3 / min(times)


def _time_product(matrix: torch.Tensor) -> float:
    begun = time.perf_counter()
    (matrix @ matrix).sum().item()  # waits for a GPU
    return time.perf_counter() - begun
