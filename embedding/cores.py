"""The processor: its name, and how many cores this process may use, as far as its control groups let it."""

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path


def usable_cores(system: Path = Path("/")) -> int:
    """Cores to plan work for, at least 1; in a container fewer than the machine has.

    Args:
        system: The root of the file system, where /proc and /sys are read.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Rounded up: a thread less would leave a part of the quota idle.
    return max(1, min([cores, *(math.ceil(quota) for quota in quotas(system))]))


def quotas(system: Path) -> list[float]:
    """The quotas of this process's control group and of all above it, in cores; each of them binds."""
    return [quota for folder in _folders(system) if (quota := _quota_of(folder)) is not None]


def _folders(system: Path) -> Iterator[Path]:
    """Where the quotas may be: the group, and every one above it up to the mount.

    In a container the group's own path is often the host's and not to be seen; then the mount is the group.
    """
    mounts = system / "sys/fs/cgroup"
    for line in _lines(system / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for mount in [mounts / controllers, mounts / "cpu"] if controllers else [mounts, mounts / "unified"]:
            group = mount / path.strip("/")
            yield from (one for one in (group, *group.parents) if one == mount or mount in one.parents)


def _quota_of(folder: Path) -> float | None:
    """The quota in one folder: `cpu.max` of version 2, `cpu.cfs_quota_us` of version 1."""
    words = " ".join(_lines(folder / "cpu.max")).split()
    if not words:
        words = [*_lines(folder / "cpu.cfs_quota_us"), *_lines(folder / "cpu.cfs_period_us")]
    try:
        quota, period = (float(word) for word in words)
    except ValueError:
        # "max", or nothing.
        return None
    return quota / period if quota > 0 and period > 0 else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def processor_name() -> str:
    """The processor's own name for itself, where the system tells."""
    lines = _lines(Path("/proc/cpuinfo")) or [f"model name: {platform.processor() or 'unknown'}"]
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )
