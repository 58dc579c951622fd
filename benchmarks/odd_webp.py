"""WebPs that no encoder writes, bit by bit (RFC 9649)."""

import struct

import numpy as np

SIDE_OF_TRANSFORMED = 4


class BitWriter:
    """Bits, the lowest of each number first."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def put(self, value: int, count: int) -> None:
        """Write a number in so many bits."""
        self._bits.extend(value >> place & 1 for place in range(count))

    def put_size(self, side: int) -> None:
        """Begin a lossless picture that is a square."""
        for value, count in ((0x2F, 8), (side - 1, 14), (side - 1, 14), (0, 4)):
            self.put(value, count)

    def put_single(self) -> None:
        """Write a prefix code of one symbol."""
        self.put(0b0001, 4)

    def put_uniform(self, alphabet: int) -> None:
        """Write a prefix code of the first 256 symbols with eight bits each."""
        self.put(0, 1)
        order = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8]
        self.put(len(order) - 4, 4)
        for length in order:
            self.put(int(length in (0, 8)), 3)
        self.put(0, 1)
        for symbol in range(alphabet):
            self.put(int(symbol < 256), 1)

    def to_bytes(self) -> bytes:
        """What was written, with zeros up to a whole byte."""
        return np.packbits(np.array(self._bits, np.uint8), bitorder="little").tobytes()


def webp_of_many_codes(blocks: int = 256, lossy: bytes = b"") -> bytes:
    """A lossless WebP of (4 × blocks)² pixels in which every block has a group of prefix codes of its own.

    Args:
        blocks: In a row and in a column; 256 name all groups that there are.
        lossy: A lossy WebP of this size whose transparency it becomes.
    """
    bits, side = BitWriter(), 4 * blocks
    if not lossy:
        bits.put_size(side)
    bits.put(0b00, 2)  # neither transforms nor a cache
    bits.put(0b00001, 5)  # groups for blocks of 4×4, and their image without a cache
    bits.put_uniform(256 + 24)
    bits.put_uniform(256)
    for _ in range(3):
        bits.put_single()
    for group in range(blocks * blocks):
        for byte in (group & 255, group >> 8 & 255):
            bits.put(int(f"{byte:08b}"[::-1], 2), 8)
    for _ in range(5 * blocks * blocks):
        bits.put_single()
    bits.put(0, 64)
    coded = bits.to_bytes()
    if not lossy:
        return riff(riff_chunk(b"VP8L", coded))
    head = struct.pack("<IHBHB", 0x10, side - 1 & 0xFFFF, 0, side - 1 & 0xFFFF, 0)
    return riff(riff_chunk(b"VP8X", head) + riff_chunk(b"ALPH", b"\x01" + coded) + lossy[12:])


def webp_of_many_transforms(kind: str, count: int) -> bytes:
    """A lossless WebP of a few pixels that is transformed again and again.

    Args:
        kind: `indexing`, whose table has 256 colours; `predictor`, with codes for as many remembered colours
            as four bits can name; or `green`.
        count: How often.
    """
    bits = BitWriter()
    bits.put_size(SIDE_OF_TRANSFORMED)
    for _ in range(count):
        bits.put(1, 1)
        if kind == "green":
            bits.put(2, 2)
            continue
        if kind == "indexing":
            bits.put(3, 2)
            bits.put(255, 8)
            bits.put(0, 1)
        else:
            bits.put(0, 2)
            bits.put(0, 3)
            bits.put(1, 1)
            bits.put(15, 4)
        for _ in range(5):
            bits.put_single()
    bits.put(0, 3)
    for _ in range(5):
        bits.put_single()
    bits.put(0, 64)
    return riff(riff_chunk(b"VP8L", bits.to_bytes()))


def riff_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a WebP."""
    return struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2)


def riff(chunks: bytes) -> bytes:
    """A WebP of these chunks."""
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WEBP") + chunks
