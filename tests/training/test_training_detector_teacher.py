"""A detector that learns from another one: whose word counts where, and what the loss makes of it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_detection import TINY, face_at, write_made_set

from training.detection.assign import IGNORED, NEGATIVE, assign, cell_points
from training.detection.data import NO_FACES, Floats
from training.detection.export import export_detector
from training.detection.loss import decode_boxes, decode_landmarks, detection_losses
from training.detection.recipe import open_detector_recipe
from training.detection.teacher import DetectorTeacher, make_lesson
from training.detection.train import DetectorTraining, open_detector, train_detector
from training.embedder.recipe import RECIPES
from training.engine.run import RunFolder, save_checkpoint
from training.errors import CheckpointInvalid, RecipeInvalid
from training.networks.detector import FaceDetector

POINTS = cell_points(128, 128)
FACE = face_at(40, 40, 40, 44)
NOWHERE = np.zeros((len(POINTS), 14), np.float32)


def seen_at(cells: list[int], face: Floats, score: float) -> tuple[Floats, Floats]:
    """What a teacher says that sees one face, in some cells."""
    scores, faces = np.zeros(len(POINTS), np.float32), NOWHERE.copy()
    scores[cells], faces[cells] = score, face
    return scores, faces


def cell_at(x: int, y: int, stride: int) -> int:
    return [tuple(point) for point in POINTS.tolist()].index((x, y, stride))


def test_a_face_that_the_teacher_sees_is_scored_as_the_teacher_scores_it() -> None:
    owners = assign(POINTS, FACE[None], NO_FACES[:, :4])
    unusual = cell_at(64, 64, 32)  # a stride that the labels would not have asked
    assert owners[unusual] != 0

    taught = make_lesson(owners, FACE[None], *seen_at([unusual], FACE + 1, 0.8))

    assert taught.owners[unusual] == 0
    assert taught.scores[unusual] == pytest.approx(0.8)
    assert not np.isnan(taught.scores).any()
    assert (taught.owners[owners == 0] == 0).all()
    assert np.array_equal(taught.faces, FACE[None])


@pytest.mark.parametrize("score", [0.0, 0.5])
def test_where_the_teacher_misses_a_labelled_face_the_label_counts(score: float) -> None:
    owners = assign(POINTS, FACE[None], NO_FACES[:, :4])

    taught = make_lesson(owners, FACE[None], *seen_at([cell_at(64, 64, 32)], FACE, score))

    assert np.isnan(taught.scores[owners == 0]).all()
    assert (taught.owners[owners == 0] == 0).all()
    assert not np.isnan(taught.scores[owners != 0]).any()


def test_what_only_the_teacher_sees_is_a_face_of_its_own_even_where_labels_are_unsure() -> None:
    other = face_at(90, 90, 24, 26)
    unsure = other[None, :4]
    owners = assign(POINTS, FACE[None], unsure)
    cell = cell_at(96, 96, 8)
    assert owners[cell] == IGNORED

    taught = make_lesson(owners, FACE[None], *seen_at([cell], other, 0.4))

    assert taught.owners[cell] == 1
    assert np.array_equal(taught.faces, np.stack([FACE, other]))
    assert set(taught.owners[(owners != 0) & (np.arange(len(owners)) != cell)]) == {NEGATIVE}


def test_a_picture_without_faces_teaches_nothing_but_background() -> None:
    owners = assign(POINTS, NO_FACES, NO_FACES[:, :4])

    taught = make_lesson(owners, NO_FACES, np.zeros(len(POINTS), np.float32), NOWHERE)

    assert set(taught.owners) == {NEGATIVE}
    assert not taught.scores.any()
    assert taught.faces.shape == (0, 14)


def test_class_and_objectness_aim_at_the_teachers_score_as_a_plain_loop_says() -> None:
    torch.manual_seed(2)
    points = cell_points(64, 64)
    faces = face_at(12, 12, 30, 34)[None]
    owners = assign(points, faces, NO_FACES[:, :4])
    scores = np.random.default_rng(1).uniform(0, 1, len(points))
    cells = torch.randn(1, len(points), 16, dtype=torch.float64)

    losses = detection_losses(
        cells,
        torch.from_numpy(points).double(),
        torch.from_numpy(owners)[None],
        torch.from_numpy(scores)[None],
        torch.from_numpy(faces).double(),
    )

    expected, weight = {"cls": 0.0, "obj": 0.0}, 0.0
    for i, (owner, target) in enumerate(zip(owners, scores, strict=True)):
        weight += max(target, 0.1) if owner >= 0 else 0
        for channel, part in enumerate(expected):
            p = 1 / (1 + math.exp(-cells[0, i, channel].item()))
            entropy = -(target * math.log(p) + (1 - target) * math.log(1 - p))
            expected[part] += abs(target - p) ** 2 * entropy
    assert losses.cls.item() == pytest.approx(expected["cls"] / weight, rel=1e-9)
    assert losses.obj.item() == pytest.approx(expected["obj"] / weight, rel=1e-9)


def test_a_teacher_is_read_as_the_student_is(tmp_path: Path) -> None:
    torch.manual_seed(4)
    network = FaceDetector().eval()
    export_detector(network, tmp_path / "teacher.onnx")
    pixels = np.random.default_rng(3).integers(0, 256, (128, 128, 3), np.uint8)

    scores, faces = DetectorTeacher(tmp_path / "teacher.onnx").look(pixels, POINTS)

    with torch.no_grad():
        grids = network(torch.from_numpy(pixels).permute(2, 0, 1)[None].float())
    cells = torch.cat([grid.permute(0, 2, 3, 1).flatten(1, 2) for grid in grids], dim=1)[0]
    places = torch.from_numpy(POINTS)
    assert scores == pytest.approx(cells[:, :2].sigmoid().prod(dim=1).sqrt().numpy(), abs=1e-4)
    assert faces[:, :4] == pytest.approx(decode_boxes(cells[:, 2:6], places).numpy(), abs=0.05)
    marks = decode_landmarks(cells[:, 6:], places).flatten(1)
    assert faces[:, 4:] == pytest.approx(marks.numpy(), abs=0.05)


@pytest.mark.slow("trains a detector twice")
def test_a_second_stage_goes_on_from_the_first_with_a_teacher(tmp_path: Path) -> None:
    data = write_made_set(tmp_path)
    first = RunFolder.create(tmp_path / "first", resume=False)
    train_detector(TINY, data, first)
    export_detector(open_detector(first.last), data / "teacher.onnx")
    recipe = replace(TINY, steps=3, start_from=str(first.last), teacher="teacher.onnx", learning_rate=0.0)

    second = RunFolder.create(tmp_path / "second", resume=False)
    train_detector(recipe, data, second)

    before, after = (open_detector(run.last).state_dict() for run in (first, second))
    assert all(torch.equal(before[name], after[name]) for name in before if name.endswith("weight"))
    held = [(run.path / "photos.json").read_text() for run in (first, second)]
    assert held[0] == held[1]


def test_a_second_stage_refuses_the_checkpoint_of_another_network(tmp_path: Path) -> None:
    other = DetectorTraining(TINY)
    other.network = FaceDetector(fine=16)
    other.average.values = other.network.state_dict()
    save_checkpoint(tmp_path / "other.pt", other.checkpoint())
    recipe = replace(TINY, start_from=str(tmp_path / "other.pt"))

    with pytest.raises(CheckpointInvalid, match="another network"):
        train_detector(recipe, tmp_path, RunFolder.create(tmp_path / "run", resume=False))


@pytest.mark.parametrize("content", [None, b"no network"])
def test_a_teacher_that_is_no_detector_is_refused_before_anything_is_drawn(
    tmp_path: Path, content: bytes | None
) -> None:
    data = write_made_set(tmp_path)
    if content is not None:
        (data / "teacher.onnx").write_bytes(content)

    recipe = replace(TINY, teacher="teacher.onnx")
    run = RunFolder.create(tmp_path / "run", resume=False)

    with pytest.raises(RecipeInvalid, match="teacher"):
        train_detector(recipe, data, run)


def test_the_recipe_of_the_second_stage_holds_out_what_the_evaluation_looks_at() -> None:
    recipe = open_detector_recipe(RECIPES / "detector_taught.toml")

    assert recipe.teacher
    assert recipe.held_out == open_detector_recipe().held_out
