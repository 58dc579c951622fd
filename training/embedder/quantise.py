"""An ONNX file with convolutions in eight bits: half the time on processors that multiply bytes (VNNI, AMX).

Weights are scaled for each channel, activations for each tensor by the range they take on calibration crops.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.data.faces import FaceSet, Split

BATCH = 16
CROPS = 256


class _Crops(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    def __init__(self, crops: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = (
            crops[start : start + BATCH] for start in range(0, len(crops), BATCH)
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"faces": batch}


def choose_crops(faces: FaceSet, split: Split) -> NDArray[np.uint8]:
    """(k, 112, 112, 3) crops from all over a set to measure ranges on, of nobody who is held out."""
    rows = split.training_rows(faces)
    return faces.crops(rows[np.unique(np.linspace(0, len(rows) - 1, CROPS, dtype=np.int64))])


def quantise(onnx: Path, path: Path, crops: NDArray[np.uint8]) -> None:
    """Writes a file with the same inputs and outputs whose convolutions compute in eight bits.

    Args:
        onnx: An embedding network in float32, as the export writes it.
        path: Of the new file.
        crops: (k, 112, 112, 3) uint8 RGB that show what the network will see; a few hundred are enough.
    """
    with TemporaryDirectory() as scratch:
        folded = Path(scratch) / "folded.onnx"
        # Normalisations are folded into the convolutions before them, whose ranges are what counts.
        quant_pre_process(onnx, folded, skip_symbolic_shape=True)
        quantize_static(
            folded,
            path,
            _Crops(crops),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
        )
