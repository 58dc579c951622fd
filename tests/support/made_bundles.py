"""Models beside the shipped one: the same with its vectors turned, and a small one of other people."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from embedding.bundle import Bundle, write_bundle


def turned_bundle(shipped: Path, folder: Path, seed: int = 0) -> Bundle:
    """A second real model: the shipped bundle with its vectors turned by a random rotation.

    A rotation keeps every distance within the model, and with it the calibration; between the two models the
    distances say nothing.
    """
    source = Bundle.load(shipped)
    record = source.manifest.embedder
    network = onnx.load(shipped / record.file)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((record.dim, record.dim)))
    output = network.graph.output[0].name
    for node in network.graph.node:
        node.output[:] = ["straight" if name == output else name for name in node.output]
        node.input[:] = ["straight" if name == output else name for name in node.input]
    network.graph.initializer.append(numpy_helper.from_array(turn.astype(np.float32), "turn"))
    network.graph.node.append(helper.make_node("MatMul", ["straight", "turn"], [output]))
    file = folder.with_suffix(".onnx")
    onnx.save(network, file)
    return write_bundle(
        folder,
        name="turned",
        detector=source.detector,
        embedder=file,
        dim=record.dim,
        embedder_input=record.input,
        normalised=record.normalised,
        calibration=source.calibration,
    )


def foreign_embedder(path: Path, layout: str, dim: int, *, batch: int | str = "n") -> NDArray[np.float32]:
    """Other people's network: the picture's 14×14 blocks are averaged and multiplied by a matrix.

    Returns:
        The matrix, (8·8·3, dim), that follows (row, column, channel) in the network's own order of colours.
    """
    weights = np.random.default_rng(dim).normal(0, 1, (192, dim)).astype(np.float32)
    shape = [batch, 3, 112, 112] if layout == "NCHW" else [batch, 112, 112, 3]
    nodes = [
        helper.make_node("AveragePool", ["planes"], ["blocks"], kernel_shape=[14, 14], strides=[14, 14]),
        helper.make_node("Transpose", ["blocks"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Flatten", ["last"], ["row"]),
        helper.make_node("MatMul", ["row", "weights"], ["vector"]),
    ]
    first = helper.make_node("Identity", ["pixels"], ["planes"])
    if layout == "NHWC":
        first = helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2])
    graph = helper.make_graph(
        [first, *nodes],
        "foreign",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [batch, dim])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10
    onnx.save(model, path)
    return weights
