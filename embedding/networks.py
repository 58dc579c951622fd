"""The two networks, run by OpenVINO; they take uint8 RGB (n, H, W, 3), whatever the file expects.

Layout, channel order, normalisation and a missing unit norm are folded into the graph at load.
"""

import queue
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset15 as operators
from openvino.preprocess import PrePostProcessor

from embedding.align import ALIGNED_SIZE
from embedding.eight_bits import compute_in_floats, multiplies_bytes_exactly, rounds_to_bytes
from embedding.manifest import EmbedderRecord, PixelInput

Precision = Literal["bf16", "f32"]

Floats = NDArray[np.float32]

Shape = tuple[int, ...]

ONE_CROP: Shape = (1, ALIGNED_SIZE, ALIGNED_SIZE, 3)

_compiling = threading.Lock()
"""Held by the one thread of this process that compiles a network; they share prepared weights."""


class NetworkRefused(ValueError):
    """The network does not match the manifest; the message names the difference."""


class Network:
    """A thread-safe network; as many calls run at once as it has threads.

    It is compiled for each input shape when that shape is first seen, and once more for each call at the same
    time: with dynamic shapes a call takes a sixth longer, and half as long again if two sizes alternate
    (measured). Callers should therefore use only a few shapes.

    Args:
        model: Takes uint8 RGB (n, H, W, 3); n, H and W may be dynamic.
        outputs: Names of the outputs to return, in this order.
        threads: Calls that run at once, each on a core of its own.
        precision: Precision of the computation.
        first: A shape to compile at once, so that errors appear at start.

    Raises:
        RuntimeError: If OpenVINO cannot compile it.
    """

    def __init__(
        self, model: ov.Model, outputs: Sequence[str], threads: int, precision: Precision, first: Shape
    ) -> None:
        self._model = model
        self._outputs = tuple(outputs)
        self._threads = threads
        # One core for each picture: with eight clients on two cores, throughput is best so. Pinning would
        # take those cores from the rest of the process.
        self._settings = {
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": "1",
            "INFERENCE_PRECISION_HINT": precision,
            "ENABLE_CPU_PINNING": "NO",
        }
        self._idle: dict[Shape, queue.SimpleQueue[_Request]] = {}
        self._made: Counter[Shape] = Counter()
        with _compiling:
            self._idle_of(first).put(self._compile(first))

    def __call__(self, pixels: NDArray[np.uint8] | Floats) -> list[Floats]:
        """(n, H, W, 3) uint8 RGB, or codes → copies of the outputs."""
        idle = self._idle_of(pixels.shape)
        request = self._take(idle, pixels.shape)
        try:
            return request(np.require(pixels, requirements=["C", "W"]))  # a tensor can share only such memory
        finally:
            idle.put(request)

    def _idle_of(self, shape: Shape) -> "queue.SimpleQueue[_Request]":
        return self._idle.setdefault(shape, queue.SimpleQueue())

    def _take(self, idle: "queue.SimpleQueue[_Request]", shape: Shape) -> "_Request":
        """One that is idle, or one more while there are fewer than threads, or the next that becomes idle."""
        with suppress(queue.Empty):
            return idle.get_nowait()
        if self._made[shape] < self._threads:
            with _compiling:
                with suppress(queue.Empty):
                    return idle.get_nowait()
                if self._made[shape] < self._threads:
                    return self._compile(shape)
        return idle.get()

    def _compile(self, shape: Shape) -> "_Request":
        model = self._model.clone()
        model.reshape(list(shape))
        # One stream each: where OpenVINO (2026.4, AVX2) prepares the weights of several streams at once, one
        # network in ten computes nonsense from then on.
        compiled = _core().compile_model(model, "CPU", self._settings)
        self._made[shape] += 1
        return _Request(compiled, self._outputs)


class _Request:
    """One computation at a time, on its own memory.

    OpenVINO's own `infer` inspects its input and builds a dictionary of its results while it holds the
    interpreter's lock: a third of a millisecond for the detector. This class reuses its tensors.
    """

    def __init__(self, compiled: ov.CompiledModel, outputs: Sequence[str]) -> None:
        self._request = compiled.create_infer_request()
        self._views: list[Floats] = [self._request.get_tensor(name).data for name in outputs]

    def __call__(self, pixels: NDArray[np.uint8] | Floats) -> list[Floats]:
        """Copies of the outputs."""
        self._request.set_input_tensor(ov.Tensor(pixels, shared_memory=True))
        self._request.start_async()
        self._request.wait()
        return [view.copy() for view in self._views]


@cache
def _core() -> ov.Core:
    """The only OpenVINO runtime of this process, which is never freed.

    Its CPU plugin gives the thread that loads it another signal stack and frees that stack when the plugin is
    freed, in any thread: the next signal would then kill the process.
    """
    return ov.Core()


def computes_in_bfloat16() -> bool:
    """Whether the processor has bfloat16 instructions (AMX or AVX512-BF16)."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _bytes_are_exact() -> bool:
    return multiplies_bytes_exactly(_core())


def compile_embedder(onnx: bytes, record: EmbedderRecord, threads: int, precision: Precision) -> Network:
    """The embedder for batches of any size: (n, 112, 112, 3) uint8 RGB → (n, dim) float32 of unit length.

    Raises:
        NetworkRefused: If it is not an ONNX network with one picture in and `dim` numbers out.
    """
    try:
        model = read_embedder(onnx, record, -1)
        model = _append_unit_norm(model, record.dim, record.normalised)
        return Network(model, ["vector"], threads, precision, ONE_CROP)
    except RuntimeError as error:
        raise NetworkRefused(reason_of(error)) from error


def read_embedder(onnx: bytes, record: EmbedderRecord, batch: int) -> ov.Model:
    """The network as it computes on this processor, for so many crops as bytes; -1 for any number."""
    model = read_network(onnx)
    if rounds_to_bytes(model) and not _bytes_are_exact():
        model = compute_in_floats(model)
    size = [ALIGNED_SIZE, ALIGNED_SIZE]
    model.reshape([batch, 3, *size] if record.input.layout == "NCHW" else [batch, *size, 3])
    return take_rgb_bytes(model, record.input)


def compile_decoder(onnx: bytes, codes: int, side: int, threads: int) -> Network:
    """The decoder of made-up faces: (1, codes) float32 → (1, side, side, 3) uint8 RGB.

    Raises:
        NetworkRefused: If it is not an ONNX network with one code in and one picture out.
    """
    model = read_network(onnx)
    try:
        model.reshape([1, codes])
        found = list(model.output().shape)
        if found != [1, side, side, 3]:
            raise NetworkRefused(f"it draws {found} instead of {[1, side, side, 3]}")
        model.output().set_names({"drawn"})
        # In bfloat16 a picture would depend on the machine.
        return Network(model, ["drawn"], threads, "f32", (1, codes))
    except RuntimeError as error:
        raise NetworkRefused(reason_of(error)) from error


def read_network(onnx: bytes) -> ov.Model:
    """An ONNX file as a network with one input.

    Raises:
        NetworkRefused: If it is not one.
    """
    try:
        model = _core().read_model(onnx)
    except RuntimeError as error:
        raise NetworkRefused("it is not an ONNX network that OpenVINO can read") from error
    if len(model.inputs) != 1:
        raise NetworkRefused(f"it has {len(model.inputs)} inputs instead of one")
    return model


def take_rgb_bytes(model: ov.Model, pixels: PixelInput) -> ov.Model:
    """Puts the layout, channel order and normalisation in front of the network."""
    stages = PrePostProcessor(model)
    stages.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    stages.input().model().set_layout(ov.Layout(pixels.layout))
    steps = stages.input().preprocess()
    if model.input().element_type != ov.Type.u8:
        steps.convert_element_type(ov.Type.f32)
    if pixels.channels == "BGR":
        steps.reverse_channels()
    if any(pixels.mean):
        steps.mean(list(pixels.mean))
    if any(value != 1 for value in pixels.std):
        steps.scale(list(pixels.std))
    return stages.build()


def _append_unit_norm(model: ov.Model, dim: int, normalised: bool) -> ov.Model:
    """Appends a reshape to (n, dim) and, if it is missing, the unit norm."""
    if len(model.outputs) != 1:
        raise NetworkRefused(f"the embedder has {len(model.outputs)} outputs instead of one")
    values = int(np.prod([size.get_length() for size in list(model.output().partial_shape)[1:]]))
    if values != dim:
        raise NetworkRefused(f"the embedder yields {values} numbers, not {dim}")
    vector = operators.reshape(model.output().get_node().input_value(0), [-1, dim], special_zero=False)
    if not normalised:
        vector = operators.normalize_l2(vector, [1], eps=1e-12, eps_mode="max")
    flat = ov.Model([vector], model.get_parameters(), "embedder")
    flat.output().set_names({"vector"})
    return flat


def has_unit_length(vectors: Floats) -> bool:
    """Whether every row has length 1, within float32 precision."""
    return bool(np.all(np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3))


def reason_of(error: Exception) -> str:
    """The last line of OpenVINO's message, which states the fault; the lines above name its source files."""
    return str(error).strip().splitlines()[-1][:200]
