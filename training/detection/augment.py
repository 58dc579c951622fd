"""Training views: transformed photos, mosaics of them, faces pasted onto faceless pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from training.detection.bank import Bank
from training.detection.data import NO_FACES, Floats, Photo, Pixels
from training.detection.geometry import (
    face_sizes,
    mirror_boxes,
    mirror_matrix,
    turn_matrix,
    visible_shares,
    warp_faces,
)
from training.detection.recipe import Ranges
from training.detection.sampling import build_pyramid, cut_square, draw_ellipse, nearest_level

Random = np.random.Generator
Region = tuple[int, int, int, int]  # x0, y0, x1, y1

BARELY = 0.05  # a face with a smaller visible share is not even marked as ignored


@dataclass
class View:
    """A canvas being filled."""

    pixels: Pixels  # (s, s, 3) BGR
    faces: list[Floats] = field(default_factory=list)  # rows (14,)
    ignored: list[Floats] = field(default_factory=list)  # boxes (4,)

    @property
    def size(self) -> int:
        """Its side in pixels."""
        return len(self.pixels)

    def labels(self) -> tuple[Floats, Floats]:
        """(n, 14) faces and (m, 4) ignored boxes."""
        faces = np.stack(self.faces) if self.faces else NO_FACES
        return faces, np.stack(self.ignored) if self.ignored else NO_FACES[:, :4]


def mirror(view: View) -> View:
    """The view as a mirror shows it."""
    faces, ignored = view.labels()
    return View(
        np.ascontiguousarray(view.pixels[:, ::-1]),
        list(warp_faces(faces, mirror_matrix(view.size))),
        list(mirror_boxes(ignored, view.size)),
    )


class Composer:
    """Draws an endless stream of views from photos with faces, photos without, and crops to paste."""

    def __init__(self, photos: Sequence[Photo], bank: Bank | None, ranges: Ranges, random: Random) -> None:
        self._photos = [photo for photo in photos if len(photo.faces)]
        self._faceless = [photo for photo in photos if not len(photo.faces)]
        self._pyramids = {photo.name: build_pyramid(photo.pixels) for photo in photos}
        self._bank = bank
        self._ranges = ranges
        self._random = random
        self._anchors = sorted(
            (float(size), i, j)
            for i, photo in enumerate(self._photos)
            for j, size in enumerate(face_sizes(photo.faces))
        )
        self._anchor_sizes = np.array([size for size, _, _ in self._anchors])

    def draw(self, size: int) -> View:
        """A view of size × size pixels."""
        view = View(np.empty((size, size, 3), np.uint8))
        self._fill(view)
        kind = self._random.random() if self._anchors else 1.0
        if kind < self._ranges.mosaic:
            self._mosaic(view)
        elif kind < 1 - self._ranges.faceless:
            self._place(view, (0, 0, size, size))
        paste = self._ranges.paste if view.faces else self._ranges.paste_on_faceless
        if self._bank is not None and self._random.random() < paste:
            for _ in range(self._random.integers(1, 4)):
                self._paste(view, self._bank)
        return view

    def _fill(self, view: View) -> None:
        """A background: mostly a faceless photo, sometimes one colour, often the black of a padded canvas."""
        random = self._random
        if not self._faceless or random.random() < 0.2:
            view.pixels[:] = 0 if random.random() < 0.5 else random.integers(0, 256, 3)
            return
        photo = self._faceless[random.integers(len(self._faceless))]
        height, width = photo.pixels.shape[:2]
        # At least half a view, so that the photo and not its border fills it.
        scale = max(_log_uniform(random, 0.4, 2.2), 0.6 * view.size / min(height, width))
        start = random.uniform(0.2, 0.8, 2) * (width, height)
        matrix = turn_matrix(
            random.normal(0, 0.15), scale, 1.0, _coin(random), start, np.full(2, view.size / 2)
        )
        border = cv2.BORDER_REFLECT if random.random() < 0.8 else cv2.BORDER_CONSTANT
        source, nearest = nearest_level(self._pyramids[photo.name], matrix, scale)
        cv2.warpAffine(source, nearest, (view.size, view.size), view.pixels, cv2.INTER_LINEAR, border)
        if len(photo.uncertain):
            # A reflected border repeats uncertain faces in unknown places.
            everywhere = np.array([[0, 0, view.size, view.size]], np.float32)
            reflects = border == cv2.BORDER_REFLECT
            view.ignored.extend(everywhere if reflects else warp_faces(photo.uncertain, matrix)[:, :4])

    def _mosaic(self, view: View) -> None:
        """Four photos in four rectangles that meet at a random point."""
        x, y = (int(share * view.size) for share in self._random.uniform(0.3, 0.7, 2))
        end = view.size
        for region in ((0, 0, x, y), (x, 0, end, y), (0, y, x, end), (x, y, end, end)):
            self._place(view, region)

    def _place(self, view: View, region: Region) -> None:
        """Put a photo into `region` so that one of its faces gets a chosen size and place."""
        random, ranges = self._random, self._ranges
        low, span = np.array(region[:2]), np.array(region[2:]) - region[:2]
        target = _log_uniform(
            random, ranges.chosen_from, max(ranges.chosen_from + 1, ranges.largest_share * min(span))
        )
        # Any face that need not be enlarged too much.
        first = int(np.searchsorted(self._anchor_sizes, target / ranges.enlarge))
        first = min(first, len(self._anchors) - 1)
        actual, i, j = self._anchors[random.integers(first, len(self._anchors))]
        face = self._photos[i].faces[j]
        scale = min(target / actual, ranges.enlarge)
        # One time in seven the centre may lie on the edge, which cuts the face.
        reach = 0.5 if random.random() < 0.15 else 0.5 - min(0.45, 0.4 * target / min(span))
        end = low + span * (0.5 + random.uniform(-reach, reach, 2))
        stretch = math.exp(random.normal(0, 0.06))
        start = face[:2] + face[2:4] / 2
        matrix = turn_matrix(self._angle(), scale, stretch, _coin(random), start, end)
        self._lay(view, self._photos[i], matrix, scale, region)

    def _lay(self, view: View, photo: Photo, matrix: Floats, scale: float, region: Region) -> None:
        x0, y0, x1, y1 = region
        source, nearest = nearest_level(self._pyramids[photo.name], _shift_origin(matrix, x0, y0), scale)
        window = np.ascontiguousarray(view.pixels[y0:y1, x0:x1])
        cv2.warpAffine(source, nearest, (x1 - x0, y1 - y0), window, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
        view.pixels[y0:y1, x0:x1] = window
        bounds = np.array(region, np.float32)
        self._label(view, warp_faces(photo.faces, matrix), bounds)
        uncertain = warp_faces(photo.uncertain, matrix)
        view.ignored.extend(uncertain[visible_shares(uncertain, bounds) > BARELY, :4])

    def _label(self, view: View, faces: Floats, bounds: Floats) -> None:
        """Label visible faces; ignore cropped or tiny ones; drop those outside."""
        shares = visible_shares(faces, bounds)
        for face, share, size in zip(faces, shares, face_sizes(faces), strict=True):
            if share >= self._ranges.visible and size >= self._ranges.smallest:
                view.faces.append(face)
            elif share > BARELY:
                view.ignored.append(_clip(face, bounds))

    def _angle(self) -> float:
        """Radians."""
        if self._random.random() < self._ranges.turned:
            return float(self._random.uniform(-math.pi / 4, math.pi / 4))
        return float(self._random.normal(0, 0.14))

    def _paste(self, view: View, bank: Bank) -> None:
        """Blend in a crop where there is no face; some have none, so that the edge teaches nothing."""
        random = self._random
        index = random.integers(len(bank.pixels))
        crop, face = bank.pixels[index], bank.faces[index]
        decoy = bool(self._faceless) and random.random() < self._ranges.decoy
        if decoy:
            crop = cut_square(self._faceless[random.integers(len(self._faceless))], len(crop), random)
        target = _log_uniform(random, self._ranges.chosen_from, min(300.0, 0.9 * view.size))
        scale = target / math.sqrt(face[2] * face[3])
        end = random.uniform(0.3 * target, view.size - 0.3 * target, 2)
        stretch = math.exp(random.normal(0, 0.06))
        start = face[:2] + face[2:4] / 2
        matrix = turn_matrix(self._angle(), scale, stretch, _coin(random), start, end)
        landed = warp_faces(face[None], matrix)
        if _covers(landed[0], view):
            return
        _blend(view, np.dstack([crop, draw_ellipse(face, len(crop), random)]), matrix, scale)
        if not decoy:
            self._label(view, landed, np.array([0, 0, view.size, view.size], np.float32))


def _blend(view: View, layer: Pixels, matrix: Floats, scale: float) -> None:
    """Lay a (c, c, 4) crop with opacity over the view; only the window it reaches is touched."""
    last = len(layer) - 1
    corners = np.array([[0, 0], [last, 0], [0, last], [last, last]]) @ matrix[:, :2].T + matrix[:, 2]
    x0, y0 = np.floor(corners.min(axis=0)).clip(0, view.size).astype(int)
    x1, y1 = np.ceil(corners.max(axis=0) + 1).clip(0, view.size).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    source, nearest = nearest_level(build_pyramid(layer), _shift_origin(matrix, x0, y0), scale)
    landed = cv2.warpAffine(source, nearest, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    window = view.pixels[y0:y1, x0:x1]
    opacity = landed[..., 3:].astype(np.float32) / 255
    window[:] = (window + opacity * (landed[..., :3].astype(np.float32) - window)).astype(np.uint8)


def _covers(face: Floats, view: View) -> bool:
    """Whether a face would overlap an existing one."""
    bounds = np.concatenate([face[:2], face[:2] + face[2:4]])
    faces, ignored = view.labels()
    return bool((visible_shares(np.concatenate([faces[:, :4], ignored]), bounds) > 0.02).any())


def _shift_origin(matrix: Floats, x: int, y: int) -> Floats:
    """The same map with (x, y) as the origin of where it leads."""
    moved = matrix.copy()
    moved[:, 2] -= (x, y)
    return moved


def _clip(face: Floats, bounds: Floats) -> Floats:
    """(4,) the part of a face's box inside x0, y0, x1, y1."""
    low = np.maximum(face[:2], bounds[:2])
    high = np.minimum(face[:2] + face[2:4], bounds[2:])
    return np.concatenate([low, (high - low).clip(min=0)]).astype(np.float32)


def _coin(random: Random) -> bool:
    return bool(random.random() < 0.5)


def _log_uniform(random: Random, low: float, high: float) -> float:
    return math.exp(random.uniform(math.log(low), math.log(high)))
