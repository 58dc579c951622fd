"""The processor: its name, and how many cores the control groups let this process use."""

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path


def count_usable_cores(system: Path = Path("/")) -> int:
    """Cores to plan work for, at least 1; a container may have fewer than the machine.

    Args:
        system: The root of the file system, where /proc and /sys are read.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Rounded up: one thread fewer would leave part of the quota idle.
    return max(1, min([cores, *(math.ceil(quota) for quota in read_quotas(system))]))


def read_quotas(system: Path) -> list[float]:
    """The quotas of this process's control group and of all its parents, in cores; all of them apply."""
    return [quota for folder in _find_quota_folders(system) if (quota := _read_quota(folder)) is not None]


def _find_quota_folders(system: Path) -> Iterator[Path]:
    """The folders that may hold quotas: the group's and its parents', up to the mount.

    In a container the group's path is often the host's and not visible; the mount is then the group.
    """
    mounts = system / "sys/fs/cgroup"
    for line in _read_lines(system / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for mount in [mounts / controllers, mounts / "cpu"] if controllers else [mounts, mounts / "unified"]:
            group = mount / path.strip("/")
            yield from (one for one in (group, *group.parents) if one == mount or mount in one.parents)


def _read_quota(folder: Path) -> float | None:
    """The quota in one folder: `cpu.max` of version 2, `cpu.cfs_quota_us` of version 1."""
    words = " ".join(_read_lines(folder / "cpu.max")).split()
    if not words:
        words = [*_read_lines(folder / "cpu.cfs_quota_us"), *_read_lines(folder / "cpu.cfs_period_us")]
    try:
        quota, period = (float(word) for word in words)
    except ValueError:
        # "max", or nothing.
        return None
    return quota / period if quota > 0 and period > 0 else None


def _read_lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def read_processor_name() -> str:
    """The processor's model name, or `unknown`."""
    lines = _read_lines(Path("/proc/cpuinfo")) or [f"model name: {platform.processor() or 'unknown'}"]
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )
