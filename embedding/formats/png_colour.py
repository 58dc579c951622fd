"""What a PNG says of its colours, as an ICC profile.

PNG (third edition, 11.3.2) has four ways to say it; the first that a decoder knows counts: cICP, iCCP, sRGB,
and gAMA with cHRM. Where the standard leaves a choice, this follows Chromium.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding.errors import DecodeFailed
from embedding.formats.encoded import MAX_METADATA_BYTES

CHUNKS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")

DEFLATE = b"\0"
"""The one method of compression that there is."""

SRGB_GAMMA = 45455
"""gAMA of sRGB, in 1/100,000. Without chromaticities, a value within 5 % of it means sRGB itself."""

LEVELS = 16 * 255 + 1
"""Entries of a curve; each of the 256 levels of a channel falls on one of them."""

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Chromaticities = tuple[float, ...]
"""x and y of white, red, green and blue."""

D65 = (0.3127, 0.329)
SRGB = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)

PRIMARIES: Mapping[int, Chromaticities] = {
    1: SRGB,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    10: (1 / 3, 1 / 3, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""ColourPrimaries of ITU-T H.273."""

GAMMAS: Mapping[int, float] = {1: 2.4, 4: 2.2, 5: 2.8, 6: 2.4, 8: 1.0, 11: 2.4, 14: 2.4, 15: 2.4}
"""TransferCharacteristics of ITU-T H.273 that are powers. Those of television are decoded with 2.4, as
screens show them (ITU-R BT.1886)."""

SMPTE_240M, SRGB_CURVE, SMPTE_428 = 7, 13, 17
HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}

# Bradford's cone responses, and ICC's white.
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D50 = np.array([0.9642, 1.0, 0.8249])


@dataclass(frozen=True)
class _Space:
    """Three colours and a curve from coded values to light, both of 0 … 1."""

    chromaticities: Chromaticities
    curve: Vector


def profile_of(chunks: Mapping[bytes, bytes]) -> bytes:
    """The ICC profile that these chunks stand for; empty if they say sRGB, or nothing that can be used.

    Raises:
        DecodeFailed: If the colours are not RGB, or of a high dynamic range, which has no one look in sRGB.
    """
    space = _coded_space(chunks.get(b"cICP", b""))
    if space is not None:
        return _build_profile(space)
    if b"iCCP" in chunks:
        return _unpack_profile(chunks[b"iCCP"])
    if len(chunks.get(b"sRGB", b"")) == 1 and chunks[b"sRGB"][0] < 4:
        return b""
    space = _measured_space(chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b""))
    return b"" if space is None else _build_profile(space)


def _coded_space(body: bytes) -> _Space | None:
    """The space that a cICP chunk names; None if it is unknown."""
    if len(body) != 4:
        return None
    primaries, transfer, matrix, full_range = body
    if matrix != 0 or full_range > 1:
        raise DecodeFailed("its cICP chunk does not speak of RGB")
    if full_range and transfer in HIGH_DYNAMIC_RANGE and primaries in PRIMARIES:
        raise DecodeFailed(f"it is of a high dynamic range ({HIGH_DYNAMIC_RANGE[transfer]}); save it in sRGB")
    curve = _coded_curve(transfer)
    if not full_range or curve is None or primaries not in PRIMARIES:
        return None
    return _Space(PRIMARIES[primaries], curve)


def _coded_curve(transfer: int) -> Vector | None:
    values = np.linspace(0, 1, LEVELS)
    if transfer in GAMMAS:
        return np.asarray(values ** GAMMAS[transfer])
    if transfer == SRGB_CURVE:
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    if transfer == SMPTE_240M:
        return np.where(values < 0.0913, values / 4, ((values + 0.1115) / 1.1115) ** (1 / 0.45))
    if transfer == SMPTE_428:
        return np.asarray(np.minimum(52.37 / 48 * values**2.6, 1))
    return None


def _measured_space(gamma: bytes, chromaticities: bytes) -> _Space | None:
    """The space of a gAMA chunk and, if there is one, a cHRM chunk; None for sRGB."""
    if len(gamma) != 4 or not any(gamma):
        return None
    exponent = struct.unpack(">I", gamma)[0]
    if len(chromaticities) != 32:
        if abs(exponent / SRGB_GAMMA - 1) <= 0.05:
            return None
        colours: Chromaticities = SRGB
    else:
        colours = tuple(part / 100_000 for part in struct.unpack(">8I", chromaticities))
    return _Space(colours, np.linspace(0, 1, LEVELS) ** (100_000 / exponent))


def _unpack_profile(body: bytes) -> bytes:
    """The ICC profile of an iCCP chunk: a name, a zero, the method, the compressed profile."""
    name, _, packed = body.partition(b"\0")
    if not name or packed[:1] != DEFLATE:
        return b""
    stream = zlib.decompressobj()
    try:
        profile = stream.decompress(packed[1:], MAX_METADATA_BYTES + 1)
    except zlib.error:
        return b""
    return profile if stream.eof and len(profile) <= MAX_METADATA_BYTES else b""


def _build_profile(space: _Space) -> bytes:
    """A profile of three colours and one curve (ICC.1:2022, 8.3.3); empty if the colours span no space."""
    colorants = _adapt(space.chromaticities)
    if colorants is None:
        return b""
    curve = np.rint(space.curve * 65535).astype(">u2").tobytes()
    contents = {b"curve": struct.pack(">4sII", b"curv", 0, LEVELS) + curve + bytes(-len(curve) % 4)}
    columns = zip((b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ"), (D50, *colorants.T), strict=True)
    contents |= {name: _pack_xyz(xyz) for name, xyz in columns}
    at = np.cumsum([128 + 4 + 12 * 7, *map(len, contents.values())]).tolist()
    places = {name: (at[i], len(content)) for i, (name, content) in enumerate(contents.items())}
    # The three colours share one curve.
    tags = {b"rTRC": places[b"curve"], b"gTRC": places[b"curve"], b"bTRC": places.pop(b"curve"), **places}
    table = b"".join(struct.pack(">4sII", name, *place) for name, place in tags.items())
    return _pack_header(at[-1]) + struct.pack(">I", len(tags)) + table + b"".join(contents.values())


def _pack_header(length: int) -> bytes:
    kind = struct.pack(">I4xI4s4s4s12x4s", length, 0x04400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    white = struct.pack(">3i", *(round(65536 * float(part)) for part in D50))
    return (kind.ljust(68, b"\0") + white).ljust(128, b"\0")


def _adapt(chromaticities: Chromaticities) -> Matrix | None:
    """(3, 3) XYZ of red, green and blue under ICC's white; None if they or their white are impossible."""
    points = np.array(chromaticities).reshape(4, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        white = np.array([points[0, 0], points[0, 1], 1 - points[0].sum()]) / points[0, 1]
    colours = np.column_stack([points[1:], 1 - points[1:].sum(1)]).T
    if not np.isfinite(white).all() or (white <= 0).any() or abs(np.linalg.det(colours)) < 1e-6:
        return None
    scaled = colours * np.linalg.solve(colours, white)
    cones = D50 @ BRADFORD.T / (BRADFORD @ white)
    return np.asarray(np.linalg.inv(BRADFORD) @ (cones[:, None] * BRADFORD) @ scaled)


def _pack_xyz(xyz: Vector) -> bytes:
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(65536 * float(part)) for part in xyz))
