"""Decoded pixels of any kind → RGB as a browser shows them: in sRGB, on white, and reduced.

Everything works on one band of rows at a time, so that memory never holds a further copy of the whole
picture.
"""

import io
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from embedding.formats.encoded import Raster

BAND_PIXELS = 1 << 20

MAX_CACHED_PROFILE_BYTES = 16 * 1024
"""Largest profile whose transform is cached. Those of cameras and phones are smaller; those of printing
presses are not cached."""

SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def to_rgb(raster: Raster, shrink: int, profile: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, contiguous."""
    width, height = raster.size if isinstance(raster, Image.Image) else raster.shape[1::-1]
    pixels = np.empty((-(-height // shrink), -(-width // shrink), 3), np.uint8)
    transform = _choose_transform(profile, _choose_mode(raster)) if profile else None
    row = 0
    for band in _split_bands(raster, shrink):
        rgb = _band_to_rgb(band, shrink, transform)
        pixels[row : row + rgb.height] = np.asarray(rgb)
        row += rgb.height
    return pixels


def _choose_mode(raster: Raster) -> str:
    if not isinstance(raster, Image.Image):
        return "RGB"
    grey = raster.mode in ("1", "L", "LA") or raster.mode.startswith("I")
    return "L" if grey else "CMYK" if raster.mode == "CMYK" else "RGB"


def _split_bands(raster: Raster, shrink: int) -> Iterator[Image.Image]:
    """The picture in bands of whole rows; the height of each but the last is a multiple of `shrink`."""
    width, height = raster.size if isinstance(raster, Image.Image) else raster.shape[1::-1]
    rows = max(BAND_PIXELS // (width * shrink), 1) * shrink
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        if isinstance(raster, Image.Image):
            yield raster if rows >= height else raster.crop((0, top, width, bottom))
        else:
            yield Image.fromarray(raster[top:bottom])


def _band_to_rgb(band: Image.Image, shrink: int, transform: ImageCms.ImageCmsTransform | None) -> Image.Image:
    alpha: Image.Image | None = None
    if band.mode.startswith("I"):
        band, alpha = _reduce_to_eight_bits(band)
    elif band.has_transparency_data:
        band = band.convert("RGBA")
        alpha = band.getchannel("A")
    if transform is not None and transform.input_mode != band.mode:
        band = band.convert(transform.input_mode)
    if alpha is None and shrink > 1 and band.mode in ("L", "RGB", "CMYK"):
        band, shrink = band.reduce(shrink), 1
    if transform is not None:
        band = transform.apply(band)
    if band.mode != "RGB":
        band = band.convert("RGB")
    if alpha is not None:
        white = Image.new("RGB", band.size, "white")
        white.paste(band, mask=alpha)
        band = white
    return band if shrink == 1 else band.reduce(shrink)


def _reduce_to_eight_bits(band: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Scale 16-bit grey to 8 bits, with a mask of its transparent value; Pillow would clip it."""
    values = np.asarray(band)
    clear = band.info.get("transparency")
    alpha = None if clear is None else Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
    return Image.fromarray((values >> 8).astype(np.uint8)), alpha


def _choose_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from the profile to sRGB; None if it changes nothing or does not fit this mode."""
    if len(profile) > MAX_CACHED_PROFILE_BYTES:
        return _build_transform(profile, mode)
    return _cached_transform(profile, mode)


def _build_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = SPACES.get(opened.profile.xcolor_space)
        if space is None or (space != mode and space != "RGB") or mode == "CMYK" != space:
            return None
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), space, "RGB")
        return None if space == "RGB" and _changes_nothing(transform) else transform
    except (OSError, ValueError, ImageCms.PyCMSError):
        # A damaged profile is no reason to refuse a picture with good pixels.
        return None


_cached_transform = lru_cache(maxsize=32)(_build_transform)


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether no colour changes by more than one step: the profile is then sRGB under another name."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    seen = np.asarray(transform.apply(Image.fromarray(cube)))
    return bool(np.abs(seen.astype(int) - cube).max() <= 1)
