"""Export a trained decoder: ONNX, weights in sixteen bits, codes in, a picture out."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from embedding.files import write_file
from embedding.people.generator import MANIFEST, MadeUpPeople, PeopleManifest
from training.embedder.export import write_onnx
from training.networks.decoder import FaceDecoder

DECODER = "decoder.onnx"
SMALL = 64
"""Constants with at most this many numbers stay in float32, which costs nothing."""


class ExportedDecoder(nn.Module):
    """A decoder with both codes in one tensor and bytes out."""

    def __init__(self, decoder: FaceDecoder, identity: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.identity = identity

    def forward(self, codes: Tensor) -> Tensor:
        """(n, identity + capture) to (n, 112, 112, 3) uint8 RGB."""
        faces = self.decoder(codes[:, : self.identity], codes[:, self.identity :])
        drawn: Tensor = (faces * 127.5 + 127.5).clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        return drawn


def load_decoder(checkpoint: Mapping[str, Any]) -> FaceDecoder:
    """The averaged decoder of a checkpoint."""
    recipe = checkpoint["recipe"]
    decoder = FaceDecoder(recipe["identity"], recipe["capture"], tuple(recipe["widths"]))
    decoder.load_state_dict(checkpoint["ema"])
    return decoder.eval()


def export_people(
    checkpoint: Mapping[str, Any], folder: Path, name: str, provenance: Mapping[str, str]
) -> MadeUpPeople:
    """Write the decoder and `people.json`, and open the result.

    Args:
        checkpoint: A checkpoint of `train_people`.
        folder: The folder to write.
        name: As in `people-1`.
        provenance: Data, terms and recipe in words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recipe = checkpoint["recipe"]
    target = folder / DECODER
    example = torch.zeros(2, recipe["identity"] + recipe["capture"])
    write_onnx(ExportedDecoder(load_decoder(checkpoint), recipe["identity"]), target, example)
    content = halve_weights(onnx.load(target)).SerializeToString()
    write_file(target, content)
    manifest = PeopleManifest.model_validate(
        {
            "name": name,
            "decoder": {
                "file": DECODER,
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
            },
            "identity": recipe["identity"],
            "capture": recipe["capture"],
            "spread": recipe["capture_spread"],
            "identity_spread": recipe.get("identity_spread", 1.0),
            "provenance": dict(provenance),
        }
    )
    write_manifest(folder, manifest)
    return MadeUpPeople.open(folder)


def write_manifest(folder: Path, manifest: PeopleManifest) -> None:
    """Write `people.json`."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False)
    write_file(folder / MANIFEST, (text + "\n").encode())


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the network with weights in float16, which are converted to float32 at load."""
    kept, casts = [], []
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if weights.data_type != TensorProto.FLOAT or values.size <= SMALL:
            kept.append(weights)
            continue
        short = f"{weights.name}_16"
        kept.append(numpy_helper.from_array(values.astype(np.float16), short))
        casts.append(helper.make_node("Cast", [short], [weights.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
