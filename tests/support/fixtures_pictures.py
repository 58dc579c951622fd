"""Pictures, bundle and embedder: a real portrait in many guises, a stranger, pictures without a face."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib.cbook
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from embedding.bundle import SHIPPED
from embedding.embedder import Embedder

Picture = NDArray[np.uint8]

ROOT = Path(__file__).resolve().parents[2]


def jpeg(pixels: Picture, quality: int = 92, **options: object) -> bytes:
    """(H, W, 3) or (H, W) uint8 as JPEG bytes."""
    return encoded(pixels, "JPEG", quality=quality, **options)


def encoded(pixels: NDArray[np.generic], form: str, **options: object) -> bytes:
    """Pixels in any format that Pillow writes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()


def resized(pixels: Picture, width: int, height: int) -> Picture:
    """Scaled to width × height."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def on_canvas(pixels: Picture, width: int, height: int, left: int = 0, top: int = 0) -> Picture:
    """The picture on a grey sheet of width × height."""
    sheet = np.full((height, width, 3), 128, np.uint8)
    sheet[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return sheet


def blurred(pixels: Picture, radius: float) -> Picture:
    """Gaussian blur; radius in pixels."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Pictures for development that are not part of the project; without them the tests that ask skip."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"there are no development pictures at {folder}")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> Picture:
    """(512, 512, 3): Eileen Collins, NASA, public domain; her face is 90 pixels wide, at (224, 118)."""
    return np.ascontiguousarray(skimage.data.astronaut())


@pytest.fixture(scope="session")
def astronaut_jpeg(astronaut: Picture) -> bytes:
    """The portrait as a JPEG."""
    return jpeg(astronaut)


@pytest.fixture(scope="session")
def astronaut_variants(astronaut: Picture) -> Mapping[str, bytes]:
    """The same person as another camera might have seen her; every one must verify against the portrait."""
    turned = Image.fromarray(astronaut).rotate(8, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))
    return {
        "mirrored": jpeg(np.ascontiguousarray(astronaut[:, ::-1])),
        "turned": jpeg(np.asarray(turned)),
        "smaller": jpeg(resized(astronaut, 320, 320)),
        "larger": jpeg(resized(astronaut, 1024, 1024)),
        "closer": jpeg(np.ascontiguousarray(astronaut[20:240, 110:330])),
        "darker": jpeg((astronaut * 0.6).astype(np.uint8)),
        "brighter": jpeg(np.clip(astronaut * 1.15, 0, 255).astype(np.uint8)),
        "compressed": jpeg(astronaut, quality=30),
        "grey": jpeg(np.asarray(Image.fromarray(astronaut).convert("L"))),
        "webcam": jpeg(on_canvas(resized(astronaut, 480, 480), 640, 480, left=80)),
    }


@pytest.fixture(scope="session")
def stranger_jpeg() -> bytes:
    """Somebody else: Grace Hopper, US Navy, public domain; matplotlib carries the photograph."""
    return Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).read_bytes()


@pytest.fixture(scope="session")
def two_faces_jpeg(astronaut: Picture) -> bytes:
    """Two people of the same size side by side."""
    half = astronaut[:300, 60:360]
    return jpeg(np.hstack([half, half[:, ::-1]]))


@pytest.fixture(scope="session")
def with_bystander(astronaut: Picture, stranger_jpeg: bytes) -> Callable[..., bytes]:
    """The portrait with somebody else beside it, whose face is `share` as wide as hers; she is in the middle,
    or at the edge where `central` is false."""
    stranger = Image.open(io.BytesIO(stranger_jpeg)).convert("RGB")

    def made(share: float, central: bool = True) -> bytes:
        width = round(stranger.width * share * 92 / 169)
        other = stranger.resize((width, round(stranger.height * width / stranger.width)))
        sheet = Image.new("RGB", (1100, 512), (128, 128, 128))
        sheet.paste(Image.fromarray(astronaut), (294 if central else 0, 0))
        sheet.paste(other, (810 if central else 520, 40))
        return jpeg(np.asarray(sheet))

    return made


@pytest.fixture(scope="session")
def small_face_jpeg(astronaut: Picture) -> bytes:
    """A face of 15 pixels in a picture of 640×480."""
    side = round(512 * 15 / 90)
    return jpeg(on_canvas(resized(astronaut, side, side), 640, 480, left=280, top=200))


@pytest.fixture(scope="session")
def black_jpeg() -> bytes:
    """A frame from a camera with its lid on."""
    return jpeg(np.zeros((480, 640, 3), np.uint8))


@pytest.fixture(scope="session")
def faceless_pictures() -> Mapping[str, bytes]:
    """Pictures without a human face: a cup, a rocket, a cat, a page, coins."""
    names = ("coffee", "rocket", "chelsea", "page", "coins")
    return {name: jpeg(np.asarray(getattr(skimage.data, name)())) for name in names}


@pytest.fixture(scope="session")
def shipped_bundle() -> Path:
    """The folder of the bundle that the project ships."""
    return SHIPPED


@pytest.fixture(scope="session")
def embedder(shipped_bundle: Path) -> Embedder:
    """One embedder for the whole run: it holds no state between pictures."""
    return Embedder.open(shipped_bundle)
