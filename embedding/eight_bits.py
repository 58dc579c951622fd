"""Networks in eight bits on processors whose products of bytes overflow.

Without VNNI, x86 adds two products of bytes in 16 bits and cuts off what does not fit: a template from such a
machine would match nobody. There the same network computes in float32, at about 0.6 of the speed.
"""

import numpy as np
import openvino as ov
from openvino import opset15 as operators

LEVELS = 256
CHANNELS = 64
LARGEST = 127
"""Of a weight of eight bits."""


def rounds_to_bytes(model: ov.Model) -> bool:
    """Whether a network computes in eight bits anywhere."""
    return bool(_roundings(model))


def multiplies_bytes_exactly(core: ov.Core) -> bool:
    """Whether this processor convolves the largest bytes without an overflow, found by trying it."""
    pixels = operators.parameter([1, CHANNELS, 8, 8], np.float32)
    largest = operators.constant(np.full((CHANNELS, CHANNELS, 1, 1), LARGEST, np.int8))
    weights = operators.multiply(operators.convert(largest, np.float32), np.float32(1))
    as_bytes = operators.fake_quantize(
        pixels, np.float32(0), np.float32(LEVELS - 1), np.float32(0), np.float32(LEVELS - 1), LEVELS
    )
    sums = operators.convolution(as_bytes, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    network = core.compile_model(
        ov.Model([sums], [pixels]), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    )
    found = network(np.full((1, CHANNELS, 8, 8), LEVELS - 1, np.float32))[0]
    return bool(np.allclose(found, (LEVELS - 1) * LARGEST * CHANNELS, rtol=0.01))


def compute_in_floats(model: ov.Model) -> ov.Model:
    """Takes the rounding to eight bits out of a network's activations; their ranges still bound them.

    Weights stay what they are. Against the rounded network d is about 0.005 at the mean.
    """
    for rounding in _roundings(model):
        values, low, high, *_ = rounding.input_values()
        back = _way_back(rounding)
        if back is not None and values.get_node().get_type_name() != "Constant":
            bounded = operators.minimum(operators.maximum(values, low), high)
            back.output(0).replace(bounded.output(0))
    model.validate_nodes_and_infer_types()
    return model


def _roundings(model: ov.Model) -> list[ov.Node]:
    return [step for step in model.get_ordered_ops() if step.get_type_name() == "FakeQuantize"]


def _way_back(rounding: ov.Node) -> ov.Node | None:
    """The step at which bytes are values on their own scale again; None where ONNX would not write it so."""
    step = rounding
    while step.get_type_name() != "Multiply":
        followers = list(step.output(0).get_target_inputs())
        if len(followers) != 1:
            return None
        step = followers[0].get_node()
        if step.get_type_name() not in ("Convert", "Subtract", "Multiply"):
            return None
    return step
