"""The face detector beside YuNet, both through OpenCV's `FaceDetectorYN` and through our own way to faces.

`YUNET=path/to/yunet.onnx python -m benchmarks detector`; without the official file only our own is measured.
One thread each, rounds of all candidates in turn, medians. The limit is arithmetic: the network needs about
90 million multiplications for 320×240 pixels and four times as many for 640×480.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from embedding.bundle import SHIPPED, read_manifest
from embedding.detector import Detector, Pass, compile_detector
from embedding.manifest import YUNET_INPUT

ROUNDS = 60
SIZES = ((320, 240), (640, 480))

Picture = NDArray[np.uint8]


def run(console: Console) -> None:
    """Measure and print one table."""
    cv2.setNumThreads(1)
    table = Table("picture", "network", "run by", "ms", "times as fast as YuNet in OpenCV")
    for width, height in SIZES:
        picture = np.asarray(cv2.resize(skimage.data.astronaut(), (width, height)), np.uint8)
        times = median_ms(candidates(picture))
        yardstick = times.get(("YuNet", "OpenCV"))
        for (network, runtime), ms in times.items():
            ratio = "" if yardstick is None else f"{yardstick / ms:.2f}"
            table.add_row(f"{width}×{height}", network, runtime, f"{ms:.2f}", ratio)
    console.print(table)


def candidates(picture: Picture) -> dict[tuple[str, str], Callable[[], object]]:
    """Everything that can find faces in the picture, by network and runtime."""
    files = {"ours": SHIPPED / read_manifest(SHIPPED).detector.file}
    if "YUNET" in os.environ:
        files["YuNet"] = Path(os.environ["YUNET"])
    found: dict[tuple[str, str], Callable[[], object]] = {}
    for name, path in files.items():
        found[name, "OpenCV"] = by_opencv(path, picture)
        found[name, "Invigil"] = by_invigil(path, picture)
    return found


def by_opencv(path: Path, picture: Picture) -> Callable[[], object]:
    """`FaceDetectorYN` on the file."""
    height, width = picture.shape[:2]
    detector = cv2.FaceDetectorYN.create(str(path), "", (width, height), 0.6)
    bgr = np.ascontiguousarray(picture[:, :, ::-1])
    return lambda: detector.detect(bgr)


def by_invigil(path: Path, picture: Picture) -> Callable[[], object]:
    """One look of our detector at a canvas as large as the picture, decoding and suppression included."""
    height, width = picture.shape[:2]
    how = Pass(canvases=((-(-height // 32) * 32, -(-width // 32) * 32),))
    detector = Detector(compile_detector(path.read_bytes(), YUNET_INPUT, threads=1), 0.6)
    return lambda: detector.look(picture, how)


def median_ms(calls: dict[tuple[str, str], Callable[[], object]]) -> dict[tuple[str, str], float]:
    """Each candidate's median; taking turns spreads what else the machine does over all of them."""
    times: dict[tuple[str, str], list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return {name: float(np.median(measured)) * 1e3 for name, measured in times.items()}
