"""A second real model: the shipped one with its vectors turned, so that nothing of both can be compared.

A rotation keeps every distance within the model, and with it the calibration; between the two models the
distances say nothing.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from embedding.bundle import Bundle, write_bundle


def turned_bundle(shipped: Path, folder: Path, seed: int = 0) -> Bundle:
    """Write the shipped bundle with its vectors turned by a random rotation."""
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
