"""Read the picture size from an HEVC stream itself (ITU-T H.265, 7.3.2.2), not from the file around it."""

from collections.abc import Iterator
from dataclasses import dataclass

from embedding.errors import DecodeFailed
from embedding.formats.encoded import read_field

SEQUENCE_PARAMETERS = 33
PARAMETER_SETS = range(32, 35)
CODED_SLICES = range(32)

MAX_PARAMETER_SETS = 16
"""Most parameter sets of one configuration; an encoder writes three."""

MAX_UNITS = 700
"""Most units of one picture; the highest level of the standard allows 600 slices."""


@dataclass(frozen=True)
class Stream:
    """The configuration of a decoder.

    Attributes:
        sample_bytes: Bytes per pixel, with its share of the colours.
        length_bytes: Bytes of the length before each unit of the stream.
    """

    width: int
    height: int
    sample_bytes: float
    length_bytes: int


def read_configuration(record: bytes) -> Stream:
    """Read the decoder configuration record (ISO/IEC 14496-15, 8.3.3.1.2).

    Raises:
        DecodeFailed: If it is damaged or has no size.
    """
    largest = (0, 0)
    for unit in _read_parameter_sets(record):
        if unit[0] >> 1 & 63 == SEQUENCE_PARAMETERS:
            largest = max(largest, _read_size(unit), key=lambda size: size[0] * size[1])
    if largest == (0, 0):
        raise DecodeFailed("its stream has no size")
    colours = {0: 1.0, 1: 1.5, 2: 2.0, 3: 3.0}[read_field(record, 16, "B") & 3]
    deep = read_field(record, 17, "B") & 7 or read_field(record, 18, "B") & 7
    return Stream(*largest, colours * (2 if deep else 1), 1 + (read_field(record, 21, "B") & 3))


def check_units(data: bytes, length_bytes: int) -> None:
    """Refuse what a still picture does not have: a second picture, or another size within the stream.

    Raises:
        DecodeFailed: If there is one, or the units are damaged.
    """
    start = pictures = 0
    for _ in range(MAX_UNITS):
        if start + length_bytes >= len(data):
            return
        length = int.from_bytes(data[start : start + length_bytes], "big")
        start += length_bytes
        kind = data[start] >> 1 & 63
        if kind in PARAMETER_SETS:
            raise DecodeFailed("its stream changes its size")
        pictures += kind in CODED_SLICES and read_field(data, start + 2, "B") >> 7
        if pictures > 1:
            raise DecodeFailed("its stream has several pictures in one item")
        start += length
    raise DecodeFailed(f"its stream has more than {MAX_UNITS:,} units")


def _read_parameter_sets(record: bytes) -> Iterator[bytes]:
    at, sets = 23, 0
    for _ in range(read_field(record, 22, "B")):
        count = read_field(record, at + 1, ">H")
        at += 3
        sets += count
        if sets > MAX_PARAMETER_SETS:
            raise DecodeFailed(f"its stream is set up more than {MAX_PARAMETER_SETS} times")
        for _ in range(count):
            length = read_field(record, at, ">H")
            unit = record[at + 2 : at + 2 + length]
            if len(unit) < length or length < 3:
                raise DecodeFailed("it is truncated")
            yield unit
            at += 2 + length


def _read_size(unit: bytes) -> tuple[int, int]:
    bits = _Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))
    bits.skip(4)
    layers = bits.take(3)
    bits.skip(1 + 88 + 8)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.skip(2 * (8 - layers))
    for profile, level in present:
        bits.skip(88 * profile + 8 * level)
    bits.read_exp_golomb()
    if bits.read_exp_golomb() == 3:
        bits.skip(1)
    return bits.read_exp_golomb(), bits.read_exp_golomb()


class _Bits:
    """The bits of a parameter set, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._text = "".join(f"{byte:08b}" for byte in data[:256])
        self._at = 0

    def skip(self, count: int) -> None:
        self._at += count

    def take(self, count: int) -> int:
        text = self._text[self._at : self._at + count]
        if len(text) < count:
            raise DecodeFailed("it is truncated")
        self._at += count
        return int(text, 2) if count else 0

    def read_exp_golomb(self) -> int:
        """An Exp-Golomb number (9.2)."""
        zeros = 0
        while self.take(1) == 0:
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
