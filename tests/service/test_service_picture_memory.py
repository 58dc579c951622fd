"""Many pictures at once in a process as operators run it: its memory stays bounded."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest
from fixtures_service import ServedProcess

from benchmarks.picture_corpus import flat_png, photo, saved
from embedding.cores import count_usable_cores

AT_ONCE = 12
MEMORY_BYTES_PER_WORKER = 150_000_000


def kilobytes(process_id: int, name: str) -> int:
    """A line of the kernel's account of a process."""
    lines = Path(f"/proc/{process_id}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def test_many_large_pictures_at_once_take_no_more_memory_than_the_workers_may(
    served: Callable[[], ServedProcess],
) -> None:
    process = served()
    running = process.process.pid
    refs = Path(f"/proc/{running}/clear_refs")
    if not refs.exists():
        pytest.skip("only Linux tells a process's peak of memory again and again")

    def send(picture: bytes) -> str:
        answer = httpx.post(
            f"{process.address}/v1/quality?for=verify",
            headers={"Authorization": f"Bearer {process.key}"},
            files={"image": picture},
            timeout=120,
        )
        return str(answer.json()["reasons"])

    with ThreadPoolExecutor(AT_ONCE) as senders:
        # The first pictures make what the networks keep.
        list(senders.map(send, [saved(photo(640, 480), "JPEG")] * AT_ONCE))
        refs.write_text("5", encoding="ascii")
        resting = kilobytes(running, "VmRSS")
        answers = list(senders.map(send, [flat_png(4800, 4800, 4, 8)] * AT_ONCE))
    peak = kilobytes(running, "VmHWM")

    assert answers == ["['face_not_found']"] * AT_ONCE
    assert (peak - resting) * 1024 < MEMORY_BYTES_PER_WORKER * count_usable_cores()
