"""The face detector in training: its shape, its labels, its views, its loss and what it exports."""

import json
import math
from dataclasses import astuple, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from fixtures_cli import CommandLine
from made_detection import COLOURS, TINY, WHITE, drawn_photo, face_at, write_made_set

from embedding.detector import Face
from embedding.yunet import DETECTOR_OUTPUTS, STRIDES
from training.detection.assign import IGNORED, NEGATIVE, SIZES, assign, cell_points
from training.detection.augment import Composer, View, mirror
from training.detection.bank import Bank, make_thumbnails
from training.detection.batches import DetectorViews
from training.detection.data import NO_FACES, read_photos, split_photos
from training.detection.evaluate import evaluate_detector
from training.detection.export import export_detector
from training.detection.geometry import turn_matrix, visible_shares, warp_faces
from training.detection.loss import box_losses, detection_losses, focal, landmark_losses
from training.detection.recipe import Ranges, open_detector_recipe
from training.detection.train import DetectorTraining, open_detector, train_detector
from training.engine.run import RunFolder, save_checkpoint
from training.errors import CheckpointInvalid, LossNotFinite, RecipeInvalid
from training.evaluation.shares import share_interval
from training.networks.detector import FaceDetector, YuNetLayout

pytestmark = pytest.mark.not_quick("trains and exports")


@pytest.fixture
def made_set(tmp_path: Path) -> Path:
    return write_made_set(tmp_path)


def test_the_network_stays_within_its_budget_and_has_the_outputs_of_yunet() -> None:
    network = YuNetLayout(FaceDetector()).eval()

    outputs = dict(zip(DETECTOR_OUTPUTS, network(torch.zeros(2, 3, 96, 160)), strict=True))

    assert sum(value.numel() for value in network.parameters()) <= 120_000
    for stride in STRIDES:
        cells = (96 // stride) * (160 // stride)
        widths = {kind: outputs[f"{kind}_{stride}"].shape for kind in ("cls", "obj", "bbox", "kps")}
        assert widths == {
            "cls": (2, cells, 1),
            "obj": (2, cells, 1),
            "bbox": (2, cells, 4),
            "kps": (2, cells, 10),
        }


def test_opencv_runs_the_exported_file_and_agrees_with_torch_at_any_size(tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = FaceDetector()
    network(torch.rand(4, 3, 64, 64) * 255)  # the batch norms have seen something
    network.eval()
    picture = np.random.default_rng(2).integers(0, 256, (100, 150, 3), np.uint8)
    padded = np.zeros((128, 160, 3), np.uint8)
    padded[:100, :150] = picture

    export_detector(network, tmp_path / "detector.onnx")
    detector = cv2.FaceDetectorYN.create(str(tmp_path / "detector.onnx"), "", (64, 64), 1e-6, 0.99, 5000)
    detector.setInputSize((150, 100))
    found = detector.detect(picture)[1]

    tensor = torch.from_numpy(padded).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        outputs = dict(zip(DETECTOR_OUTPUTS, YuNetLayout(network)(tensor), strict=True))
    scores = torch.cat([(outputs[f"cls_{s}"] * outputs[f"obj_{s}"]).sqrt().flatten() for s in STRIDES])
    assert len(found) > 0
    assert found[:, 14].max() == pytest.approx(float(scores.max()), abs=1e-4)


def test_in_use_the_network_says_what_it_said_in_training() -> None:
    torch.manual_seed(6)
    network = FaceDetector()
    with torch.no_grad():
        for norm, mean in zip(network.norms, (0.2, 1.0, 3.0), strict=True):
            norm.bias[:] = mean  # type: ignore[operator]
        pictures = torch.rand(4, 3, 128, 128) * 255
        for _ in range(150):
            trained = network(pictures)
        used = network.eval()(pictures)

    for one, other in zip(trained, used, strict=True):
        assert (one - other).abs().mean() < 0.05 * one.std()


def test_the_order_of_cells_is_rows_first_and_their_points_are_top_left() -> None:
    points = cell_points(64, 96)

    assert len(points) == 8 * 12 + 4 * 6 + 2 * 3
    assert points[13].tolist() == [8, 8, 8]
    assert points[96 + 7].tolist() == [16, 16, 16]
    assert points[-1].tolist() == [64, 32, 32]


@pytest.mark.parametrize("size", [10, 20, 40, 64, 110, 200])
def test_a_face_of_any_size_is_answered_for_by_near_cells_of_the_right_strides(size: float) -> None:
    face = face_at(130 - size / 2, 120 - size / 2, size, size)
    points = cell_points(256, 256)

    owners = assign(points, face[None], NO_FACES[:, :4])

    own = points[owners == 0]
    assert len(own) >= 1
    for x, y, stride in own:
        low, high = SIZES[int(stride)]
        assert low <= size <= high
        assert max(abs(x - 130), abs(y - 120)) <= 1.5 * stride
    wanted = {stride for stride, (low, high) in SIZES.items() if low <= size <= high}
    assert {int(stride) for stride in own[:, 2]} == wanted


def test_an_uncertain_face_is_neither_face_nor_background() -> None:
    points = cell_points(128, 128)
    uncertain = np.array([[40, 40, 30, 30]], np.float32)

    owners = assign(points, NO_FACES, uncertain)

    inside = (np.abs(points[:, 0] - 55) < 15) & (np.abs(points[:, 1] - 55) < 15)
    far = (np.abs(points[:, 0] - 55) > 15 + points[:, 2]) | (np.abs(points[:, 1] - 55) > 15 + points[:, 2])
    assert (owners[inside] == IGNORED).all()
    assert (owners[far] == NEGATIVE).all()
    cells = torch.zeros(1, len(points), 16)
    loud = cells.clone()
    loud[0, torch.from_numpy(inside), :2] = 9.0
    untaught = torch.full((1, len(points)), float("nan"))
    labels = (torch.from_numpy(owners)[None], untaught, torch.from_numpy(NO_FACES))
    arguments = (torch.from_numpy(points), *labels)
    assert astuple(detection_losses(loud, *arguments)) == astuple(detection_losses(cells, *arguments))


def test_of_two_faces_that_claim_a_cell_the_smaller_one_gets_it() -> None:
    large, small = face_at(40, 40, 44, 44), face_at(56, 56, 12, 12)
    points = cell_points(128, 128)

    owners = assign(points, np.stack([large, small]), NO_FACES[:, :4])

    middle = (points[:, 0] == 64) & (points[:, 1] == 64) & (points[:, 2] == 8)
    assert owners[middle].tolist() == [1]
    assert (owners == 0).any()


def test_box_and_landmark_losses_equal_plain_loops() -> None:
    random = np.random.default_rng(7)
    boxes, truth = random.uniform(10, 40, (9, 4)), random.uniform(10, 40, (9, 14))
    marks = random.uniform(0, 60, (9, 5, 2))

    overlap, loss = box_losses(torch.from_numpy(boxes), torch.from_numpy(truth[:, :4]))
    mark_loss = landmark_losses(torch.from_numpy(marks), torch.from_numpy(truth))

    for i, (x, y, w, h) in enumerate(boxes):
        a, b, c, d = truth[i, :4]
        shared = max(0, min(x + w, a + c) - max(x, a)) * max(0, min(y + h, b + d) - max(y, b))
        iou = shared / (w * h + c * d - shared)
        wide, high = max(x + w, a + c) - min(x, a), max(y + h, b + d) - min(y, b)
        apart = ((x + w / 2 - a - c / 2) ** 2 + (y + h / 2 - b - d / 2) ** 2) / (wide**2 + high**2)
        expected = 1 - iou + apart + (w - c) ** 2 / wide**2 + (h - d) ** 2 / high**2
        assert overlap[i].item() == pytest.approx(iou, abs=1e-12)
        assert loss[i].item() == pytest.approx(expected, abs=1e-12)
        total = 0.0
        for p in range(5):
            for axis in range(2):
                error = abs(marks[i, p, axis] - truth[i, 4 + 2 * p + axis]) / math.sqrt(c * d)
                total += error - 0.01 if error > 0.02 else error**2 / 0.04
        assert mark_loss[i].item() == pytest.approx(total / 5, abs=1e-12)


def test_the_class_loss_equals_a_plain_loop_and_aims_at_the_overlap_reached() -> None:
    torch.manual_seed(3)
    points = cell_points(64, 64)
    faces = np.stack([face_at(10, 12, 30, 36), face_at(36, 30, 20, 22)])
    owners = assign(points, faces, np.array([[0, 50, 10, 10]], np.float32))
    cells = torch.randn(1, len(points), 16, dtype=torch.float64)

    losses = detection_losses(
        cells,
        torch.from_numpy(points).double(),
        torch.from_numpy(owners)[None],
        torch.full((1, len(points)), float("nan"), dtype=torch.float64),
        torch.from_numpy(faces).double(),
    )

    total, positives = 0.0, int((owners >= 0).sum())
    for i, owner in enumerate(owners):
        if owner == IGNORED:
            continue
        target = 0.0
        if owner >= 0:
            stride = points[i, 2]
            w, h = np.exp(cells[0, i, 4:6].numpy()) * stride
            cx, cy = points[i, :2] + cells[0, i, 2:4].numpy() * stride
            a, b, c, d = faces[owner, :4]
            shared = max(0, min(cx + w / 2, a + c) - max(cx - w / 2, a))
            shared *= max(0, min(cy + h / 2, b + d) - max(cy - h / 2, b))
            target = shared / (w * h + c * d - shared)
        p = 1 / (1 + math.exp(-cells[0, i, 0].item()))
        total -= abs(target - p) ** 2 * (target * math.log(p) + (1 - target) * math.log(1 - p))
    assert losses.cls.item() == pytest.approx(total / positives, rel=1e-6)
    assert focal(torch.tensor([30.0]), torch.tensor([1.0])).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("degrees", [-45, 0, 30])
def test_a_turned_view_keeps_every_landmark_on_its_dot(degrees: float, mirror: bool) -> None:
    face = face_at(60, 50, 80, 100)
    photo = drawn_photo("photo", [face])
    matrix = turn_matrix(math.radians(degrees), 0.9, 1.05, mirror, face[:2] + face[2:4] / 2, (100, 100))

    warped = cv2.warpAffine(photo.pixels, matrix, (200, 200))
    landed = warp_faces(face[None], matrix)[0]

    colours = [COLOURS[i] for i in (1, 0, 2, 4, 3)] if mirror else COLOURS
    for (x, y), colour in zip(landed[4:].reshape(5, 2), colours, strict=True):
        assert np.abs(warped[round(float(y)), round(float(x))].astype(int) - colour).max() < 40
    x, y, w, h = landed[:4]
    assert ((landed[4::2] > x) & (landed[4::2] < x + w) & (landed[5::2] > y) & (landed[5::2] < y + h)).all()
    assert w * h <= 0.9**2 * 1.05 * 80 * 100 * 1.15


def test_a_mirrored_view_carries_its_labels_along() -> None:
    face = face_at(20, 30, 60, 70)
    photo = drawn_photo("photo", [face], 160)
    view = View(photo.pixels, [face], [np.array([100, 5, 20, 30], np.float32)])

    twice = mirror(mirror(view))
    once = mirror(view)

    nose = once.faces[0][8:10].round().astype(int)
    assert once.pixels[nose[1], nose[0]].tolist() == list(WHITE)
    assert once.ignored[0].tolist() == [39, 5, 20, 30]
    assert np.allclose(twice.faces[0], face, atol=1e-3)
    assert (twice.pixels == view.pixels).all()


def test_what_is_cut_or_tiny_is_ignored_and_never_a_face() -> None:
    faces = [face_at(90, 90, 60, 70), face_at(20, 20, 8, 10)]
    composer = Composer([drawn_photo("photo", faces)], None, Ranges(), np.random.default_rng(4))

    views = [composer.draw(128) for _ in range(60)]

    bounds = np.array([0, 0, 128, 128], np.float32)
    for view in views:
        found, _ = view.labels()
        assert (visible_shares(found, bounds) >= Ranges().visible - 1e-3).all()
        assert (np.sqrt(found[:, 2] * found[:, 3]) >= Ranges().smallest).all()
    assert any(view.ignored for view in views)
    assert any(view.faces for view in views)


def test_a_pasted_face_is_labelled_where_it_lies_and_covers_no_other() -> None:
    face = face_at(20, 12, 70, 88)
    bank = Bank(drawn_photo("crop", [face], 112).pixels[None], face[None])
    ranges = replace(Ranges(), mosaic=0, faceless=1.0, paste_on_faceless=1.0, decoy=0.0)
    composer = Composer([drawn_photo("empty", [])], bank, ranges, np.random.default_rng(8))

    views = [composer.draw(160) for _ in range(20)]

    for view in views:
        for found in view.faces:
            x, y = found[8:10].round().astype(int)
            if found[2] > 50 and 0 <= x < 160 and 0 <= y < 160:
                assert view.pixels[y, x].min() > 150  # the white dot of the nose
        boxes = view.labels()[0]
        for i in range(len(boxes)):
            low_high = np.concatenate([boxes[i, :2], boxes[i, :2] + boxes[i, 2:4]])
            others = np.delete(boxes, i, axis=0)
            assert (visible_shares(others, low_high) < 0.5).all()
    assert any(view.faces for view in views)


def test_one_seed_draws_the_same_views() -> None:
    photos = [drawn_photo("photo", [face_at(60, 50, 80, 100)]), drawn_photo("empty", [])]

    def first(seed: int) -> list[np.ndarray]:
        composer = Composer(photos, None, Ranges(), np.random.default_rng(seed))
        return [batch.pictures.numpy() for batch in islice(DetectorViews(composer, TINY.shapes, seed), 9)]

    assert all((a == b).all() for a, b in zip(first(3), first(3), strict=True))
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(first(3), first(4), strict=True))


def test_an_undecodable_picture_is_named_and_the_others_are_read(made_set: Path) -> None:
    found = read_photos(made_set / "detect")

    assert found.undecodable == ["broken.jpg"]
    assert len(found.photos) == 12
    assert sum(len(photo.faces) for photo in found.photos) == 6


def test_the_split_takes_the_same_share_of_each_kind_and_no_picture_twice(made_set: Path) -> None:
    photos = read_photos(made_set / "detect").photos

    train, held = split_photos(photos, 1 / 3)
    again = split_photos(list(reversed(photos)), 1 / 3)[1]

    assert sum(len(photo.faces) > 0 for photo in held) == 2
    assert len(held) == 4
    assert {photo.name for photo in train} & {photo.name for photo in held} == set()
    assert {photo.name for photo in held} == {photo.name for photo in again}


def test_a_crop_of_a_held_out_photo_is_recognised_at_another_brightness() -> None:
    random = np.random.default_rng(1)
    noise = [
        np.asarray(cv2.resize(random.integers(0, 256, (8, 8, 3), np.uint8), (112, 112)), np.uint8)
        for _ in range(2)
    ]
    brighter = np.clip(noise[0].astype(int) // 2 + 60, 0, 255).astype(np.uint8)

    rows = make_thumbnails([noise[0], brighter, noise[1]])

    assert rows[0] @ rows[1] > 0.93
    assert rows[0] @ rows[2] < 0.5


@pytest.mark.slow("trains and exports a detector")
def test_training_writes_a_run_that_goes_on_where_it_stopped(made_set: Path, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", resume=False)
    train_detector(TINY, made_set, run)

    training = train_detector(replace(TINY, steps=6), made_set, run, resume=True)

    assert training.step == 6
    assert open_detector(run.last)(torch.zeros(1, 3, 64, 64))[0].shape == (1, 16, 8, 8)
    assert "broken.jpg" in (run.path / "photos.json").read_text()


@pytest.mark.slow("trains and exports a detector")
def test_a_run_of_a_detector_is_measured_and_never_taken_for_an_embedder(
    made_set: Path, tmp_path: Path, cli: CommandLine
) -> None:
    run = RunFolder.create(tmp_path / "run", resume=False)
    train_detector(TINY, made_set, run)

    measured = cli.run("evaluate-detector", "--photos", made_set / "detect", "--detector", run.path, "--json")
    exported = cli.run("export", run.path, "--to", tmp_path / "bundle")

    assert json.loads(measured.stdout)["rows"]
    assert exported.status == 2
    assert "it is no checkpoint of an embedding network" in exported.stderr


def test_a_loss_that_is_not_finite_stops_the_training_before_the_weights_change(
    made_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder.create(tmp_path / "run", resume=False)
    train_detector(TINY, made_set, run)
    poisoned = torch.load(run.last, weights_only=True)
    poisoned["weights"]["cells.bias"][:] = float("nan")
    torch.save(poisoned, run.last)

    with pytest.raises(LossNotFinite, match="step 5"):
        train_detector(replace(TINY, steps=9), made_set, run, resume=True)


def test_the_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    training = DetectorTraining(TINY)
    training.network = FaceDetector(fine=16)
    training.average.values = training.network.state_dict()
    save_checkpoint(tmp_path / "other.pt", training.checkpoint())

    with pytest.raises(CheckpointInvalid, match="another network"):
        open_detector(tmp_path / "other.pt")


def test_the_shipped_recipe_is_valid_and_a_size_that_is_no_multiple_of_32_is_refused(tmp_path: Path) -> None:
    recipe = open_detector_recipe()
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("steps = 5\nshapes = [{ size = 100, count = 2, share = 1.0 }]\n")

    with pytest.raises(RecipeInvalid, match=r"shapes\[0\]"):
        open_detector_recipe(wrong)

    assert recipe.steps > 0


def test_the_report_counts_what_is_found_missed_and_imagined() -> None:
    faces = [face_at(20, 20, 40, 50), face_at(100, 100, 60, 60), face_at(150, 10, 12, 12)]
    empty = replace(drawn_photo("empty", []), uncertain=face_at(10, 10, 30, 30)[None])
    photos = [drawn_photo("photo", faces), empty]
    near = Face(faces[0][:4] + 1, faces[0][4:].reshape(5, 2) + np.array([1.6, 0], np.float32), 0.9)
    far = Face(faces[1][:4] + 40, faces[1][4:].reshape(5, 2), 0.8)
    unsure = Face(np.array([11, 9, 30, 30], np.float32), np.zeros((5, 2), np.float32), 0.7)
    imagined = Face(np.array([90, 90, 20, 20], np.float32), np.zeros((5, 2), np.float32), 0.7)
    answers = iter([[near, far], [unsure, imagined]])

    report = evaluate_detector(photos, lambda _: next(answers))

    assert (report.large.faces, report.large.found) == (2, 1)
    assert report.large.landmark_error == pytest.approx(0.1)
    assert [row.faces for row in report.rows] == [1, 0, 0, 1, 1, 0]
    assert (report.faceless, report.false_faces, report.false_per_100) == (1, 1, 100)
    assert report.rows[1].recall is None


def test_wilsons_interval_is_the_one_in_the_books() -> None:
    low, high = share_interval(81, 263)  # Newcombe, Statistics in Medicine 1998, table I

    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert share_interval(0, 20)[0] == 0
