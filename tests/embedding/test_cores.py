"""Cores that a process may use are those that its control groups let it use, too."""

import os
from pathlib import Path

import pytest

from embedding.cores import count_usable_cores, read_quotas

MINE = len(os.sched_getaffinity(0))


def system_of(folder: Path, group: str, files: dict[str, str]) -> Path:
    """A file system with a /proc and a /sys of its own."""
    for name, text in {"proc/self/cgroup": group, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


CPU_V1 = "12:pids:/\n4:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/ab\n"


@pytest.mark.parametrize(
    ("group", "files", "expected"),
    [
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "50000 100000\n"}, [0.5]),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, []),
        (
            "0::/a/b\n",
            {"sys/fs/cgroup/a/b/cpu.max": "max 100000", "sys/fs/cgroup/a/cpu.max": "75000 50000"},
            [1.5],
        ),
        ("0::/a/b\n", {"sys/fs/cgroup/cpu.max": "300000 100000"}, [3.0]),
        ("0::/../../outside\n", {"sys/fs/cgroup/cpu.max": "100000 100000"}, [1.0]),
        (
            CPU_V1,
            {
                "sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_quota_us": "25000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            [0.25],
        ),
        (
            CPU_V1,
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            [2.0],
        ),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "nonsense"}, []),
        ("", {}, []),
    ],
)
def test_quotas_are_read_in_both_versions_and_at_every_level(
    tmp_path: Path, group: str, files: dict[str, str], expected: list[float]
) -> None:
    assert read_quotas(system_of(tmp_path, group, files)) == expected


def test_half_a_core_is_one_and_no_quota_gives_more_cores_than_there_are(tmp_path: Path) -> None:
    half = system_of(tmp_path / "half", "0::/\n", {"sys/fs/cgroup/cpu.max": "50000 100000"})
    many = system_of(tmp_path / "many", "0::/\n", {"sys/fs/cgroup/cpu.max": "99900000 100000"})
    none = system_of(tmp_path / "none", "0::/\n", {})

    assert [count_usable_cores(system) for system in (half, many, none)] == [1, MINE, MINE]
