"""Hints: the student's stages learn to be like layers of the teacher."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
import torch
from loss_oracles import close, cosine, draw, mean
from made_training import people, tiny_recipe, write_folders

from training.data.faces import read_faces
from training.embedder.export import write_onnx
from training.embedder.loop import train
from training.embedder.recipe import Recipe
from training.embedder.teacher import TeacherMaps
from training.embedder.weights import load_network
from training.engine.run import load_checkpoint
from training.errors import RecipeInvalid
from training.losses.hints import Hints
from training.networks.backbones import build_network

pytestmark = pytest.mark.not_quick("trains")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight made people, and an untrained network of ours as the teacher."""
    data = tmp_path_factory.mktemp("hints")
    write_folders(data / "faces", people(8, 3))
    torch.manual_seed(1)
    write_onnx(
        build_network(tiny_recipe().network).trunk.eval(), data / "teacher.onnx", torch.zeros(2, 3, 112, 112)
    )
    return data


@pytest.fixture(scope="module")
def layers(taught: Path) -> list[str]:
    """The last layers of the teacher's stages: the last of eight channels and so many places."""
    last = {}
    for step in ov.Core().read_model(taught / "teacher.onnx").get_ordered_ops():
        shape = step.get_output_partial_shape(0) if step.get_output_size() else ov.PartialShape([])
        if step.get_type_name() == "Relu" and shape[1] == 8:
            last[shape[2].get_length()] = step.get_friendly_name()
    return [last[side] for side in (28, 14, 7)]


def hinted(layers: Sequence[str], **teacher: Any) -> Recipe:
    part = {"path": "teacher.onnx", "mean": [127.5] * 3, "std": [127.5] * 3, "hints": list(layers)}
    return tiny_recipe(losses=[{"name": "distil_cosine"}], teacher={"mode": "cached", **part, **teacher})


def test_the_loss_of_hints_equals_its_plain_loop() -> None:
    hints = Hints([2, 3], [4, 5]).double()
    own, wanted = [draw(2, 2, 3, 3), draw(2, 3, 2, 2)], [draw(2, 4, 3, 3), draw(2, 5, 2, 2)]
    stages = []
    for regress, a, b in zip(hints.regressors, own, wanted, strict=True):
        weight, bias = (value.detach() for value in regress.parameters())
        places = [(n, y, x) for n in range(2) for y in range(a.shape[2]) for x in range(a.shape[3])]
        seen = [weight[:, :, 0, 0] @ a[n, :, y, x] + bias for n, y, x in places]
        pairs = zip(seen, places, strict=True)
        stages.append(mean([1 - cosine(one, b[n, :, y, x]) for one, (n, y, x) in pairs]))

    assert close(hints(own, wanted), mean(stages))


def test_hints_are_what_the_layers_of_the_teacher_say_of_a_face(taught: Path, layers: list[str]) -> None:
    maps = TeacherMaps(hinted(layers).teacher, taught, 16, threads=1)
    torch.manual_seed(1)
    network = build_network(tiny_recipe().network).eval()
    crops = read_faces(taught / "faces").crops(range(3))

    with torch.inference_mode():
        _, expected = network.embed_with_maps(torch.from_numpy(crops))

    assert maps.shapes == ((8, 28), (8, 14), (8, 7))
    for found, wanted in zip(maps(crops), expected, strict=True):
        assert np.abs(found - wanted.numpy()).max() < 1e-4


def test_a_student_comes_nearer_to_the_layers_too_and_what_it_needed_for_that_is_not_in_the_network(
    taught: Path, layers: list[str], tmp_path: Path
) -> None:
    run = train(hinted(layers, mix=0.5), taught, tmp_path / "run")

    losses = [line["losses"]["hints"] for line in run.metrics() if "losses" in line]
    assert losses[-1] < losses[0]
    checkpoint = load_checkpoint(run.last)
    assert set(checkpoint["hints"]) == {
        f"regressors.{k}.{name}" for k in range(3) for name in ("weight", "bias")
    }
    assert load_network(run.last)
    assert train(hinted(layers, mix=0.5), taught, run.path, resume=True).metrics()


def test_a_layer_that_is_not_there_or_has_other_places_is_refused(
    taught: Path, layers: list[str], tmp_path: Path
) -> None:
    with pytest.raises(RecipeInvalid, match=r"teacher\.hints: it has no layer 'nowhere' with places"):
        train(hinted(["nowhere", *layers[1:]]), taught, tmp_path / "run")
    with pytest.raises(RecipeInvalid, match="has 14×14 places, stage 1 28 each way"):
        train(hinted([layers[1], layers[0], layers[2]]), taught, tmp_path / "run")
    with pytest.raises(RecipeInvalid, match=r"teacher\.hints: the network has 3 stages, each needs a layer"):
        train(hinted(layers[:2]), taught, tmp_path / "run")
