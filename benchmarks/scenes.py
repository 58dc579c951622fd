"""Made scenes for `benchmarks.motion`: a head with depth before a camera, and portraits that pose as one.

The head is a made-up person's portrait on a map of depth; the others are the same portrait as a stiff print,
as curved paper, on a screen and cut out. Two generators differ in depth, bending, movement and camera, so
that limits set on the scenes of one can be measured on the other's. No real attack was ever seen by either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from embedding.image import ImageLimits, Pixels, decode
from embedding.people.generator import MadeUpPeople
from embedding.people.photograph import photograph

WIDTH, HEIGHT = 320, 240
FRAMES = 8
SECONDS = 1.4
"""From the first frame to the last."""

FOCAL = 300.0
"""Pixels: a field of view of 56 degrees, as of a tablet's camera."""

DISTANCE = 4.0
"""Of the face from the camera, in widths of the face."""

ITERATIONS = 8
"""Steps until a ray has met the surface."""

Floats = NDArray[np.float32]
Species = Literal[
    "turns", "sways", "still", "shaken", "print", "curved", "bent", "screen", "filling", "cut-out"
]
LIVE: tuple[Species, ...] = ("turns", "sways", "still", "shaken")
ATTACKS: tuple[Species, ...] = ("print", "curved", "bent", "screen", "filling", "cut-out")


@dataclass(frozen=True)
class Maker:
    """One generator's habits.

    Attributes:
        relief: How far the middle of the face lies before its rim, in widths of the face.
        nose: How far the nose lies before that.
        is_round: Whether the relief is that of an ellipsoid, or a bell.
        wander: Whether movement is a random walk, or swings.
        bend: Curvature of curved paper, and by how much it changes, per width of the face.
        shake: Pixels by which the camera itself trembles.
        rolling: Seconds between the first and the last row of a frame.
        noise: Standard deviation of a pixel.
        quality: Of the JPEG.
        gain: By how much the exposure changes within a scene.
    """

    relief: float
    nose: float
    is_round: bool
    wander: bool
    bend: tuple[float, float]
    shake: float
    rolling: float
    noise: float
    quality: int
    gain: float


FIRST = Maker(0.45, 0.12, True, False, (0.25, 0.08), 0.0, 0.0, 1.5, 85, 0.0)
"""Limits are set on its scenes."""

SECOND = Maker(0.36, 0.16, False, True, (0.4, 0.15), 0.25, 0.02, 3.0, 75, 0.04)
"""Limits are measured on its scenes."""

Pose = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Moments → (n, 7): turn, nod, tilt (radians), shift right, down, away (widths of the face), bend."""


def make_scene(people: MadeUpPeople, number: int, species: Species, maker: Maker, seed: int) -> list[Pixels]:
    """The frames of one scene, (240, 320, 3) RGB.

    Args:
        people: Who appears.
        number: Which of them.
        species: Who or what is before the camera.
        maker: How it is drawn.
        seed: Of everything that is chosen by chance.
    """
    random = default_rng((number, seed))
    crop = people.draw(people.person(number), people.captures(number, 1))[0]
    portrait = photograph(crop, number).astype(np.float32)
    room = _room(random)
    pose = _movement(random, species, maker)
    tremble = _tremble(random, maker.shake + (3.0 if species == "shaken" else 0.0))
    surface = _head(portrait, maker) if species in LIVE else _sheet(portrait, species, random)
    frames = []
    for moment in np.linspace(0, SECONDS, FRAMES):
        rows = moment + maker.rolling * np.arange(HEIGHT) / HEIGHT
        picture = _render(surface, room, pose(rows), tremble(rows))
        if species == "screen":
            picture = _screen(picture, pose(rows), random)
        frames.append(_camera(picture, maker, random))
    return frames


@dataclass(frozen=True)
class _Surface:
    """What is held or stands before the camera: colours with a share of opacity, and depth in face widths.

    Attributes:
        picture: (H, W, 4) with opacity.
        depth: (H, W) how far a place lies before the middle plane.
        width: Of the face in the picture, in its pixels.
        middle: Of the face.
    """

    picture: Floats
    depth: Floats
    width: float
    middle: tuple[float, float]
    scale: float = 1.0


def _head(portrait: Floats, maker: Maker) -> _Surface:
    height, width = portrait.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    face, middle = 170.0, (320.0, 200.0)
    right, down = (x - middle[0]) / face, (y - middle[1]) / face
    far = np.hypot(right / 0.62, down / 0.8)
    round_ = np.sqrt(np.clip(1 - far**2, 0, 1)) if maker.is_round else np.exp(-2 * far**2) - np.exp(-2)
    nose = np.exp(-((right / 0.09) ** 2) - ((down - 0.05) / 0.16) ** 2)
    depth = maker.relief * np.clip(round_, 0, 1) + maker.nose * nose
    head = np.clip((1.08 - far) / 0.08, 0, 1)
    body = np.clip((0.98 - np.hypot((x - 320) / 205, (y - 455) / 120)) / 0.05, 0, 1) * (y > 300)
    opacity = np.maximum(head, body)
    return _Surface(np.dstack([portrait, opacity]), depth.astype(np.float32), face, middle)


def _sheet(portrait: Floats, species: Species, random: Generator) -> _Surface:
    height, width = portrait.shape[:2]
    opacity = np.zeros((height, width), np.float32)
    if species == "cut-out":
        y, x = np.mgrid[:height, :width]
        opacity[np.hypot((x - 320) / 108, (y - 200) / 138) < 1] = 1
    else:
        margin = random.uniform(0.0, 0.2) if species != "filling" else 0.0
        left, top = round(margin * width), round(margin * height / 2)
        opacity[top : height - top, left : width - left] = 1
    # A print of the whole picture, large enough to fill the frame with its edges outside.
    scale = 1.35 if species == "filling" else 1.0
    depth = np.zeros((height, width), np.float32)
    return _Surface(np.dstack([portrait, opacity]), depth, 170.0, (320.0, 200.0), scale)


def _room(random: Generator) -> Floats:
    """A wall with things on it, or hardly any, larger than the frame."""
    wall = np.full((HEIGHT + 80, WIDTH + 80, 3), random.uniform(90, 190, 3), np.float32)
    for _ in range(random.choice((2, 40), p=(0.3, 0.7))):
        x, y = (int(n) for n in random.uniform(0, [WIDTH + 80, HEIGHT + 80]))
        w, h = (int(n) for n in random.uniform(8, 70, 2))
        cv2.rectangle(wall, (x, y), (x + w, y + h), random.uniform(30, 230, 3).tolist(), -1)
    coarse = cv2.resize(random.normal(0, 9, (60, 80)).astype(np.float32), (WIDTH + 80, HEIGHT + 80))
    return np.asarray(cv2.GaussianBlur(wall + coarse[..., None], (0, 0), 1.0), np.float32)


SIZES: dict[str, tuple[float, ...]] = {
    "turns": (0.09, 0.05, 0.03, 0.05, 0.03, 0.05, 0.0),
    "sways": (0.02, 0.015, 0.01, 0.09, 0.03, 0.12, 0.0),
    "still": (0.006, 0.004, 0.004, 0.01, 0.006, 0.02, 0.0),
    "shaken": (0.006, 0.004, 0.004, 0.01, 0.006, 0.02, 0.0),
    "attack": (0.07, 0.06, 0.05, 0.10, 0.08, 0.15, 0.0),
}


def _movement(random: Generator, species: Species, maker: Maker) -> Pose:
    kind = species if species in SIZES else "attack"
    size = np.array(SIZES[kind]) * random.uniform(0.7, 1.5, 7)
    curvature = np.zeros(7)
    if species in ("curved", "bent"):
        curvature[6] = maker.bend[0] * random.choice((-1, 1)) * random.uniform(0.6, 1.2)
        size[6] = maker.bend[1] if species == "bent" else 0.0
    at_first = random.normal(0, 0.5, 7) * np.array([0.12, 0.08, 0.06, 0.1, 0.08, 0.1, 0.0]) + curvature
    moves = _wander(random) if maker.wander else _swing(random)
    return lambda moments: at_first + size * moves(moments)


def _swing(random: Generator) -> Pose:
    phase, speed = random.uniform(0, 2 * np.pi, 7), random.uniform(1.5, 4.5, 7)
    return lambda moments: np.sin(phase + speed * np.asarray(moments)[:, None])


def _wander(random: Generator) -> Pose:
    knots = np.linspace(0, SECONDS + 0.1, 6)
    walk = np.cumsum(random.normal(0, 0.6, (6, 7)), axis=0)
    return lambda moments: np.stack([np.interp(moments, knots, column) for column in walk.T], axis=1)


def _tremble(random: Generator, size: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Moments → (n, 2) pixels by which the whole picture is shifted."""
    phase, speed = random.uniform(0, 2 * np.pi, (2, 2)), random.uniform(6, 18, (2, 2))

    def shift(moments: NDArray[np.float64]) -> NDArray[np.float64]:
        swings = np.sin(phase + speed * np.asarray(moments)[:, None, None])
        return np.asarray(size * swings.mean(axis=1))

    return shift


def _render(surface: _Surface, room: Floats, pose: NDArray[np.float64], shift: NDArray[np.float64]) -> Floats:
    """One frame; pose and shift of each row are its own."""
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    u, v = u + shift[:, :1], v + shift[:, 1:]
    turn, nod, tilt, right, down, away, bend = (column[:, None] for column in pose.T)
    x_to, y_to = (u - WIDTH / 2) / FOCAL, (v - HEIGHT / 2) / FOCAL
    x, y = x_to * DISTANCE, y_to * DISTANCE
    for _ in range(ITERATIONS):
        z = _look_up(surface, x, y) - bend * x**2
        px, py, pz = _turned(x, y, -z, turn, nod, tilt)
        pz = DISTANCE / surface.scale + away + pz
        # The place moves by what its image misses the pixel.
        x = x + (x_to - (px + right) / pz) * pz
        y = y + (y_to - (py + down + 0.1) / pz) * pz
    seen = _sample(surface.picture, surface, x, y)
    wall = cv2.remap(room, (u + 40).astype(np.float32), (v + 40).astype(np.float32), cv2.INTER_LINEAR)
    opacity = seen[..., 3:]
    return np.asarray(opacity * seen[..., :3] + (1 - opacity) * wall, np.float32)


def _turned(x: Floats, y: Floats, z: Floats, turn: Floats, nod: Floats, tilt: Floats) -> tuple[Floats, ...]:
    x, y = x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)
    x, z = x * np.cos(turn) + z * np.sin(turn), -x * np.sin(turn) + z * np.cos(turn)
    y, z = y * np.cos(nod) - z * np.sin(nod), y * np.sin(nod) + z * np.cos(nod)
    return x, y, z


def _look_up(surface: _Surface, x: Floats, y: Floats) -> Floats:
    return _sample(surface.depth, surface, x, y)


def _sample(values: Floats, surface: _Surface, x: Floats, y: Floats) -> Floats:
    at_x = (x * surface.width + surface.middle[0]).astype(np.float32)
    at_y = (y * surface.width + surface.middle[1]).astype(np.float32)
    return np.asarray(cv2.remap(values, at_x, at_y, cv2.INTER_LINEAR, borderValue=0), np.float32)


def _screen(picture: Floats, pose: NDArray[np.float64], random: Generator) -> Floats:
    """Moiré that runs faster than the screen moves, a reflection that stands still, and flicker."""
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    shift = 40 * (pose[:, 3:4] + pose[:, 4:5])
    waves = np.sin(0.35 * u + 0.5 * v + shift) * 5 + np.sin(0.8 * u - 0.2 * v - 2 * shift) * 3
    glare = 30 * np.exp(-(((u - 210) / 40) ** 2) - ((v - 70) / 25) ** 2)
    return np.asarray(
        (picture + waves[..., None] + glare[..., None]) * random.uniform(0.97, 1.03), np.float32
    )


def _camera(picture: Floats, maker: Maker, random: Generator) -> Pixels:
    """Noise, exposure and compression."""
    noisy = picture * (1 + random.normal(0, maker.gain)) + random.normal(0, maker.noise, picture.shape)
    whole = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
    data = cv2.imencode(".jpg", whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, maker.quality])[1]
    return decode(data.tobytes(), ImageLimits())
