"""Count the tables that a lossless WebP makes its decoder build (RFC 9649, sections 3 to 6).

A picture may have 65,536 groups of prefix codes, which fit into a file of 300 kB: libwebp then builds 360 MB
of tables for one megapixel. This module therefore reads everything before the pixels: the transforms, and the
image that says which group each block uses.
"""

from embedding.errors import DecodeFailed

TABLE_BYTES = 12_000
"""Most bytes of one group: five tables for codes of up to 15 bits."""

MAX_PIXELS = 100_000
"""Most pixels of all images before the picture; libwebp writes at most about 65,000 for 16 megapixels."""

MAX_GROUPS = 10_000
"""Counting stops here: the tables alone take more than a picture's memory. libwebp writes 2,600."""

MAX_CACHE_BITS = 11

PREDICTOR, CROSS_COLOUR, SUBTRACT_GREEN, COLOUR_INDEXING = range(4)
LITERALS, LENGTHS, DISTANCES = 256, 24, 40
# The order of the code lengths of the code that encodes all other code lengths.
ORDER = (17, 18, 0, 1, 2, 3, 4, 5, 16, *range(6, 16))
# Length codes that repeat: extra bits, smallest count.
REPEATED = {16: (2, 3), 17: (3, 3), 18: (7, 11)}


class Bits:
    """A stream of bits, lowest bit of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = 8 * len(data)
        self._place = 0

    def look(self) -> int:
        """At least the next 25 bits, as a number, without consuming them; zeros follow the end."""
        first = self._place >> 3
        return int.from_bytes(self._data[first : first + 4], "little") >> (self._place & 7)

    def take(self, count: int) -> int:
        """Consume up to 25 bits and return them as a number.

        Raises:
            DecodeFailed: If there are too few.
        """
        value = self.look() & ((1 << count) - 1)
        self._place += count
        if self._place > self._end:
            raise DecodeFailed("its picture is truncated")
        return value


class PrefixCode:
    """A canonical prefix code over an alphabet, by the length of each symbol's code; 0 for none."""

    def __init__(self, lengths: list[int]) -> None:
        used = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
        # A single symbol takes no bits.
        longest = used[-1][0] if len(used) > 1 else 0
        self._mask = (1 << longest) - 1
        self._symbols: list[tuple[int, int] | None] = [None] * (self._mask + 1)
        if len(used) == 1:
            self._symbols = [(used[0][1], 0)]
            return
        code = before = 0
        for length, symbol in used:
            code <<= length - before
            before = length
            first = int(f"{code:0{length}b}"[::-1], 2)
            count = len(range(first, len(self._symbols), 1 << length))
            self._symbols[first :: 1 << length] = [(symbol, length)] * count
            code += 1

    def read(self, bits: Bits) -> int:
        """The next symbol.

        Raises:
            DecodeFailed: If the bits match no symbol.
        """
        found = self._symbols[bits.look() & self._mask]
        if found is None:
            raise DecodeFailed("its picture has a code that does not exist")
        bits.take(found[1])
        return found[0]


def count_groups(data: bytes, width: int, height: int) -> int:
    """How many groups of prefix codes the pixels use, at most `MAX_GROUPS` + 1.

    Args:
        data: From the transforms on.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.

    Raises:
        DecodeFailed: If it is damaged, or the part before the pixels is larger than any encoder writes.
    """
    bits, pixels_left = Bits(data), MAX_PIXELS
    transforms: set[int] = set()
    while bits.take(1):
        kind = bits.take(2)
        if kind in transforms:
            raise DecodeFailed("it has two transforms of one kind")
        transforms.add(kind)
        if kind in (PREDICTOR, CROSS_COLOUR):
            pixels_left = read_blocks(bits, width, height, pixels_left)[0]
        elif kind == COLOUR_INDEXING:
            colours = bits.take(8) + 1
            read_image(bits, colours)
            packed = 3 if colours <= 2 else 2 if colours <= 4 else 1 if colours <= 16 else 0
            width = -(-width >> packed)
    read_cache_size(bits)
    if not bits.take(1):
        return 1
    return len(read_blocks(bits, width, height, pixels_left, MAX_GROUPS)[1])


def read_blocks(
    bits: Bits, width: int, height: int, pixels_left: int, most: int = LITERALS * LITERALS
) -> tuple[int, set[int]]:
    """Read an image that has one pixel per block of the picture.

    Returns:
        How many pixels further such images may have, and this one's values of red and green.
    """
    size = bits.take(3) + 2
    pixels_left -= -(-width >> size) * -(-height >> size)
    if pixels_left < 0:
        raise DecodeFailed(f"it has more than {MAX_PIXELS:,} blocks")
    return pixels_left, read_image(bits, -(-width >> size) * -(-height >> size), most)


def read_image(bits: Bits, pixels: int, most: int = LITERALS * LITERALS) -> set[int]:
    """Read an image with one group of codes; returns its values of red and green, until there are too many.

    Copies within the image add no new value.
    """
    cached = read_cache_size(bits)
    green, red, blue, alpha = (
        read_code(bits, alphabet) for alphabet in (LITERALS + LENGTHS + cached, LITERALS, LITERALS, LITERALS)
    )
    distance = read_code(bits, DISTANCES)
    values, done = {0}, 0
    while done < pixels and len(values) <= most:
        symbol = green.read(bits)
        if symbol < LITERALS:
            values.add(red.read(bits) << 8 | symbol)
            blue.read(bits)
            alpha.read(bits)
            done += 1
        elif symbol < LITERALS + LENGTHS:
            done += read_prefixed(bits, symbol - LITERALS)
            read_prefixed(bits, distance.read(bits))
        else:
            done += 1
    return values


def read_cache_size(bits: Bits) -> int:
    """The size of the colour cache; 0 for none."""
    if not bits.take(1):
        return 0
    size_bits = bits.take(4)
    if not 1 <= size_bits <= MAX_CACHE_BITS:
        raise DecodeFailed("it remembers a number of colours that may not be")
    return 1 << size_bits


def read_prefixed(bits: Bits, symbol: int) -> int:
    """A length or a distance: its prefix symbol and the bits behind it."""
    if symbol < 4:
        return symbol + 1
    extra = (symbol - 2) >> 1
    return ((2 + (symbol & 1)) << extra) + bits.take(extra) + 1


def read_code(bits: Bits, alphabet: int) -> PrefixCode:
    """A prefix code: one or two symbols listed directly, or the code length of every symbol."""
    lengths = [0] * alphabet
    if bits.take(1):
        has_second = bits.take(1)
        symbols = [bits.take(8 if bits.take(1) else 1)]
        symbols += [bits.take(8)] if has_second else []
        for symbol in symbols:
            if symbol >= alphabet:
                raise DecodeFailed("its picture has a code that does not exist")
            lengths[symbol] = 1
        return PrefixCode(lengths)
    of_lengths = [0] * len(ORDER)
    for place in ORDER[: bits.take(4) + 4]:
        of_lengths[place] = bits.take(3)
    code = PrefixCode(of_lengths)
    written = bits.take(2 + 2 * bits.take(3)) + 2 if bits.take(1) else alphabet
    done, before = 0, 8
    while done < alphabet and written:
        written -= 1
        length = code.read(bits)
        if length not in REPEATED:
            lengths[done] = length
            before, done = length or before, done + 1
            continue
        extra, least = REPEATED[length]
        count = bits.take(extra) + least
        if done + count > alphabet:
            raise DecodeFailed("its picture has a code that does not exist")
        lengths[done : done + count] = [before if length == 16 else 0] * count
        done += count
    return PrefixCode(lengths)
