"""A picture's way to a template, part by part: `python -m benchmarks embedding`.

Beside each figure stands its limit or its rival, measured in the same run: for the networks what a plain
matrix product reaches on the same cores, for decoding and detection what OpenCV takes.
"""

import io
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import cv2
import numpy as np
import openvino as ov
import skimage.data
from PIL import Image
from rich.console import Console
from rich.table import Table

from embedding.align import align
from embedding.bundle import SHIPPED, Bundle
from embedding.cores import count_usable_cores
from embedding.detector import QUICK, THOROUGH, Detector, compile_detector
from embedding.embedder import Embedder
from embedding.image import ImageLimits, Pixels, decode
from embedding.manifest import YUNET_INPUT
from embedding.measures import measure
from embedding.quality import Purpose

SECONDS_EACH = 1.0


def run(console: Console) -> None:
    """Measures and prints one table."""
    embedder = Embedder.open(SHIPPED)
    picture, large = _photo(640, 480), _photo(4000, 3000)
    table = Table(title="a photo of 640×480 to a template, one picture at a time")
    for name in ("what", "here", "limit or rival", "there", "share"):
        table.add_column(name, justify="left" if name in ("what", "limit or rival") else "right")
    _add_pictures(table, picture, large)
    _add_detector(table, picture)
    _add_crop(table, embedder, picture)
    _add_network(table, embedder, picture)
    whole = _milliseconds(lambda: embedder.embed(picture, Purpose.VERIFY))
    table.add_row("photo → template", f"{whole:.2f} ms", f"{count_usable_cores()} cores", "", "")
    console.print(table)


def _add_pictures(table: Table, picture: bytes, large: bytes) -> None:
    for name, data in (("decode 640×480", picture), ("decode 12 MP", large)):
        ours = _milliseconds(partial(decode, data, ImageLimits()))
        buffer = np.frombuffer(data, np.uint8)
        theirs = _milliseconds(partial(cv2.imdecode, buffer, cv2.IMREAD_COLOR_RGB))
        _add_rival(table, name, ours, "cv2.imdecode, whole size", theirs)


def _add_detector(table: Table, picture: bytes) -> None:
    bundle = Bundle.load(SHIPPED)
    record = bundle.manifest.detector
    network = compile_detector(bundle.read(record), record.input, threads=1)
    detector = Detector(network, record.score_threshold)
    image = decode(picture, ImageLimits())
    for name, how, size in (
        ("detect at 320×256", QUICK, (320, 256)),
        ("detect at 640×480", THOROUGH, (640, 480)),
    ):
        ours = _milliseconds(partial(detector.look, image, how))
        if record.input != YUNET_INPUT:
            table.add_row(name, f"{ours:.2f} ms", "", "", "")
            continue
        theirs = _opencv_detection(bundle, image, size)
        _add_rival(table, name, ours, "cv2.FaceDetectorYN, same file", theirs)


def _opencv_detection(bundle: Bundle, image: Pixels, size: tuple[int, int]) -> float:
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(bundle.read(bundle.manifest.detector))
        file.flush()
        rival = cv2.FaceDetectorYN.create(file.name, "", size, 0.7, 0.3)
    canvas = cv2.resize(image, size)
    return _milliseconds(lambda: rival.detect(canvas))


def _add_crop(table: Table, embedder: Embedder, picture: bytes) -> None:
    image = decode(picture, ImageLimits())
    face = embedder.inspect(picture, Purpose.VERIFY).faces[0]
    crop = align(image, face.landmarks)
    table.add_row("align", f"{_milliseconds(lambda: align(image, face.landmarks)):.2f} ms", "", "", "")
    checking = _milliseconds(lambda: measure(face, crop, image.shape[:2]))
    table.add_row("quality", f"{checking:.2f} ms", "", "", "")


def _add_network(table: Table, embedder: Embedder, picture: bytes) -> None:
    face = embedder.inspect(picture, Purpose.VERIFY).faces[0]
    crop = align(decode(picture, ImageLimits()), face.landmarks)
    bundle = embedder.bundle
    operations = 2 * multiply_adds(ov.Core().read_model(bundle.read(bundle.manifest.embedder)))
    reachable = _matrix_product_rate()
    alone = _milliseconds(lambda: embedder.embed_crops(crop[None]))
    table.add_row("crop → template, alone", f"{alone:.2f} ms", "one core", "", "")
    for batch in (1, 8):
        crops = np.repeat(crop[None], batch, axis=0)
        rate = batch * _calls_per_second(partial(embedder.embed_crops, crops), count_usable_cores())
        reached = rate * operations
        table.add_row(
            f"crop → template, batch {batch}",
            f"{rate:.0f} /s",
            f"{operations / 2e6:.0f} MMAC each; matrix product in float32 {reachable / 1e9:.0f} GFLOP/s",
            f"{reached / 1e9:.0f} GFLOP/s",
            f"{reached / reachable:.2f}",
        )


def multiply_adds(model: ov.Model) -> int:
    """Multiply-adds of one picture through all convolutions and matrix products."""
    batched = model.input().partial_shape
    batched[0] = 1
    model.reshape(batched)
    total = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() not in ("Convolution", "GroupConvolution", "MatMul"):
            continue
        weights = list(node.input(1).get_shape())
        outputs = int(np.prod(list(node.output(0).get_shape())))
        if node.get_type_name() == "Convolution":
            total += outputs * int(np.prod(weights[1:]))
        elif node.get_type_name() == "GroupConvolution":
            total += outputs * int(np.prod(weights[2:]))
        else:
            total += outputs * list(node.input(0).get_shape())[-1]
    return total


def _matrix_product_rate() -> float:
    """Operations per second of a float32 matrix product on all cores: the most the network could reach."""
    side = 1536
    matrix = np.random.default_rng(0).random((side, side), np.float32)
    return 2 * side**3 / (_milliseconds(lambda: matrix @ matrix) / 1000)


def _photo(width: int, height: int) -> bytes:
    """The portrait as a camera at a door would frame it: the face a third of the picture's height."""
    portrait = Image.fromarray(skimage.data.astronaut()[10:250, 60:380])
    stream = io.BytesIO()
    portrait.resize((width, height), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _milliseconds(call: Callable[[], object]) -> float:
    """The median of a call's time, after one that does not count."""
    call()
    times: list[float] = []
    end = time.perf_counter() + SECONDS_EACH
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1000


def _calls_per_second(call: Callable[[], object], threads: int) -> float:
    """With that many callers at once."""

    def keep_calling() -> int:
        calls = 0
        while time.perf_counter() < end:
            call()
            calls += 1
        return calls

    call()
    end = time.perf_counter() + 2 * SECONDS_EACH
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        calls = sum(pool.map(lambda _: keep_calling(), range(threads)))
    return calls / (time.perf_counter() - start)


def _add_rival(table: Table, name: str, ours_ms: float, rival: str, theirs_ms: float) -> None:
    table.add_row(name, f"{ours_ms:.2f} ms", rival, f"{theirs_ms:.2f} ms", f"{ours_ms / theirs_ms:.2f}")
