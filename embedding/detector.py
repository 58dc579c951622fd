"""Faces in a picture: box, five landmarks, score."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding.align import REFERENCE_LANDMARKS, fit_similarity, warp
from embedding.image import Pixels
from embedding.manifest import PixelInput
from embedding.networks import Floats, Network, NetworkRefused, read_network, reason_of, take_rgb_bytes
from embedding.yunet import DETECTOR_OUTPUTS, decode_outputs

CLOSE_CANVAS = 160
"""Side of the canvas for the close look at every face; the network is compiled for this size at start."""

MAX_CANDIDATES = 500
"""Boxes that enter non-maximum suppression, whose cost is quadratic; only noise has more."""


@dataclass(frozen=True)
class Face:
    """One detected face, in pixels of the picture.

    Attributes:
        box: (4,) float32 x, y, width, height; may extend beyond the picture.
        landmarks: (5, 2) float32 right eye, left eye, nose, right and left mouth corner (the person's right).
        score: 0..1, the network's own; it only decides what counts as a face.
        uprightness: 0..1, the network's score for this face alone, rotated by its landmarks; low if the
            landmarks belong to another rotation. 0 if the face scores higher upside down, and before a close
            look.
    """

    box: Floats
    landmarks: Floats
    score: float
    uprightness: float = 0.0

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return float(self.box[2])


@dataclass(frozen=True)
class Pass:
    """One pass over the picture: the canvases it may be scaled onto.

    The network accepts any canvas but compiles and caches each size; a few fixed sizes bound its memory for
    every picture.
    """

    canvases: tuple[tuple[int, int], ...]  # (height, width), multiples of 32


QUICK = Pass(canvases=((256, 320), (320, 256), (320, 320)))
THOROUGH = Pass(canvases=((480, 640), (640, 480), (640, 640)))

# The quick pass is enough if it shows a face at least this wide, in canvas pixels: it would also have shown a
# second person at up to twice the distance.
TRUSTED_WIDTH = 32

# The close look at one face: the face size that gives the most exact landmarks, measured on LFW, within the
# margin that the network needs; and the lowest score of a cell that sees the face. Plain walls reach 0.21,
# the faces of LFW 0.88 and more.
CLOSE_FACE = 104
CLOSE_SCORE = 0.3
SAME_FACE_OVERLAP = 0.4

# From this score on, a close look needs no second one upside down; 67 % of the upright faces of LFW reach it.
CERTAIN_UPRIGHT = 0.97

DARK = 100
"""If a picture shows no face and its brightest pixels are no brighter, it is lightened and searched again."""


class Detector:
    """Finds faces from 20 pixels (at a long side of 640) to the whole frame. Thread-safe.

    Args:
        network: Takes (1, H, W, 3) uint8 RGB, H and W any multiples of 32; has YuNet's outputs.
        score_threshold: Lowest score of a face, 0..1.
        overlap_threshold: Of two boxes with a larger intersection over union, only the better one is kept.
    """

    def __init__(self, network: Network, score_threshold: float, overlap_threshold: float = 0.3) -> None:
        self._network = network
        self._score_threshold = score_threshold
        self._overlap_threshold = overlap_threshold

    def detect(self, image: Pixels) -> list[Face]:
        """All faces, best score first; a picture with a near face takes a quarter of the time of one without.

        When the widest face is near, faces less than half as wide may be missed: people in the background do
        not count anyway.
        """
        faces = self.look(image, QUICK)
        scale = max(image.shape[:2]) / QUICK.canvases[-1][0]
        if any(face.width >= TRUSTED_WIDTH * scale for face in faces):
            return faces
        return self.look(image, THOROUGH)

    def look_closely(self, image: Pixels, face: Face) -> Face:
        """The same face, with landmarks from a second look at it alone, upright and at a fixed size.

        Alignment depends on the landmarks. Those found in the whole picture are exact only if the face
        happens to be upright and of the size that suits the network. The result is a weighted mean over all
        cells that see the face, as in BlazeFace (arXiv:1907.05047): it is more exact than the best cell. If
        the second look does not find the face, the face is returned unchanged.
        """
        onto_canvas = _fit_upright(face)
        canvas = warp(image, onto_canvas, CLOSE_CANVAS)
        landmarks, scores = self._look_at_middle(canvas)
        if not len(scores):
            return face
        uprightness = float(scores.max())
        if uprightness < CERTAIN_UPRIGHT:
            _, upside_down = self._look_at_middle(np.rot90(canvas, 2))
            if (upside_down > uprightness).any():
                uprightness = 0.0
        mean = np.average(landmarks, axis=0, weights=scores**4)
        seen = cv2.transform(mean[None], cv2.invertAffineTransform(onto_canvas))[0]
        return replace(face, landmarks=np.asarray(seen, np.float32), uprightness=uprightness)

    def _look_at_middle(self, canvas: Pixels) -> tuple[Floats, Floats]:
        """Landmarks (n, 5, 2) and scores (n,) from all cells that see the face in the middle of a canvas."""
        boxes, landmarks, scores = decode_outputs(self._run(canvas), canvas.shape[:2], CLOSE_SCORE)
        expected = np.concatenate([[(CLOSE_CANVAS - CLOSE_FACE) / 2] * 2, [CLOSE_FACE] * 2])
        same = overlap(expected[None], boxes)[0] >= SAME_FACE_OVERLAP
        return landmarks[same], scores[same]

    def look(self, image: Pixels, how: Pass, quarter_turns: int = 0) -> list[Face]:
        """All faces found in one pass over the picture, best score first.

        Args:
            image: (H, W, 3) uint8.
            how: The canvases to choose from.
            quarter_turns: Counter-clockwise turns applied before the pass; faces are returned in the
                coordinates of the original picture.
        """
        canvas, scale = letterbox(image, how)
        boxes, landmarks, scores = self._find_faces_on(np.rot90(canvas, quarter_turns))
        if quarter_turns and len(scores):
            back = _undo_quarter_turns(quarter_turns, canvas.shape[:2])
            landmarks = np.asarray(cv2.transform(landmarks, back), np.float32)
            corners = cv2.transform(np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1), back)
            boxes = np.hstack([corners.min(1), np.ptp(corners, axis=1)])
        return [
            Face(box / scale, points / scale, float(score))
            for box, points, score in zip(boxes, landmarks, scores, strict=True)
        ]

    def _find_faces_on(self, canvas: Pixels) -> tuple[Floats, Floats, Floats]:
        """Boxes, landmarks and scores of the faces on a canvas, in its pixels, best score first."""
        boxes, landmarks, scores = decode_outputs(self._run(canvas), canvas.shape[:2], self._score_threshold)
        kept = suppress(boxes, scores, self._overlap_threshold)
        return boxes[kept], landmarks[kept], scores[kept]

    def _run(self, canvas: Pixels) -> dict[str, Floats]:
        outputs = self._network(canvas[None])
        return {name: output[0] for name, output in zip(DETECTOR_OUTPUTS, outputs, strict=True)}


def _fit_upright(face: Face) -> NDArray[np.float64]:
    """(2, 3) transform from the picture to the close look's canvas, with the face upright in the middle."""
    scale = CLOSE_FACE / max(float(np.sqrt(face.box[2] * face.box[3])), 1.0)
    aligned = fit_similarity(face.landmarks, REFERENCE_LANDMARKS)[:, :2]
    turn = aligned / max(float(np.hypot(*aligned[:, 0])), 1e-9)
    centre = face.box[:2] + face.box[2:] / 2
    return np.column_stack([scale * turn, CLOSE_CANVAS / 2 - scale * turn @ centre])


def lighten(image: Pixels) -> Pixels:
    """Brighten a picture that is too dark to find faces in; return any other as is.

    The brightest pixels become white, except for the brightest 1 %, which may be a lamp or noise.
    """
    brightest = float(np.percentile(image, 99))
    if not 0 < brightest <= DARK:
        return image
    return np.asarray(cv2.convertScaleAbs(image, alpha=255 / brightest), np.uint8)


def _undo_quarter_turns(turns: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """(2, 3) transform that undoes `np.rot90` on a canvas of this size (height, width) before the turn."""
    height, width = size
    return {
        1: np.array([[0.0, -1.0, width - 1], [1.0, 0.0, 0.0]]),
        2: np.array([[-1.0, 0.0, width - 1], [0.0, -1.0, height - 1]]),
        3: np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, height - 1]]),
    }[turns]


def letterbox(image: Pixels, how: Pass) -> tuple[Pixels, float]:
    """Scale the picture onto the canvas that wastes least, at its top left.

    Returns:
        The canvas, (H, W, 3) uint8 RGB, black beyond the picture; and the scale in canvas pixels per picture
        pixel.
    """
    height, width = image.shape[:2]
    scales = [min(h / height, w / width) for h, w in how.canvases]
    # The largest scale shows the most; among equals, the smallest canvas costs the least.
    best = max(range(len(scales)), key=lambda i: (round(scales[i], 6), -np.prod(how.canvases[i])))
    scale = scales[best]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # INTER_AREA averages when a picture shrinks: bilinear sampling would skip pixels and lose small faces.
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.zeros((*how.canvases[best], 3), np.uint8)
    canvas[: size[1], : size[0]] = scaled
    return canvas, scale


def compile_detector(onnx: bytes, pixels: PixelInput, threads: int) -> Network:
    """The detector for canvases of any multiple of 32; always in float32, for exact landmarks.

    Raises:
        NetworkRefused: If it is not an ONNX network with YuNet's outputs.
    """
    model = read_network(onnx)
    named = {name: output for output in model.outputs for name in output.get_names()}
    missing = [name for name in DETECTOR_OUTPUTS if name not in named]
    if missing:
        raise NetworkRefused(f"the detector lacks the outputs {', '.join(missing)}")
    try:
        model.reshape([1, 3, -1, -1] if pixels.layout == "NCHW" else [1, -1, -1, 3])
        first = (1, CLOSE_CANVAS, CLOSE_CANVAS, 3)
        return Network(take_rgb_bytes(model, pixels), DETECTOR_OUTPUTS, threads, "f32", first)
    except RuntimeError as error:
        raise NetworkRefused(reason_of(error)) from error


def suppress(boxes: Floats, scores: Floats, overlap_threshold: float) -> list[int]:
    """Greedy non-maximum suppression: indices of the kept boxes, best score first."""
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    overlaps = overlap(boxes[order], boxes[order]) > overlap_threshold
    kept: list[int] = []
    dropped = np.zeros(len(order), bool)
    for i in range(len(order)):
        if not dropped[i]:
            kept.append(int(order[i]))
            dropped |= overlaps[i]
    return kept


def overlap(one: Floats, other: Floats) -> Floats:
    """(n, m) intersection over union of (n, 4) and (m, 4) boxes x, y, width, height."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum((one[:, :2] + one[:, 2:])[:, None], (other[:, :2] + other[:, 2:])[None])
    shared = (high - low).clip(min=0).prod(axis=2)
    union = one[:, 2:].prod(axis=1)[:, None] + other[:, 2:].prod(axis=1)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)
