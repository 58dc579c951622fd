"""The boxes of an image file of the ISO base media family (ISO/IEC 23008-12): items and their properties."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from embedding.errors import DecodeFailed
from embedding.formats.encoded import read_field

MAX_BOXES = 10_000
"""Most boxes in one box. A phone's picture of 48 megapixels has 200 tiles, each an item."""

MAX_ENTRIES = 50_000
"""Most entries of all lists of a file together; a list may claim thousands of millions that take no bytes."""

MAX_EXTENTS = 32
"""Most pieces of one item; libheif takes no more."""

CONTAINERS_VERSIONED = 4
"""Bytes of version and flags before the content of a full box."""


@dataclass
class Item:
    """One item: a coded picture, a grid of them, a block of metadata."""

    kind: bytes = b""
    properties: list[int] = field(default_factory=list)
    extents: list[range] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Bytes of its data."""
        return sum(len(extent) for extent in self.extents)


@dataclass
class Items:
    """The content of a file's `meta` box.

    Attributes:
        properties: Name and content of the boxes that items refer to by number, starting at 1.
        references: Name, source item, target items.
    """

    primary: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    entries: int = 0

    def count_entry(self) -> None:
        """Note one more entry of a list.

        Raises:
            DecodeFailed: If there are too many in all.
        """
        self.entries += 1
        if self.entries > MAX_ENTRIES:
            raise DecodeFailed(f"its boxes have more than {MAX_ENTRIES:,} entries")

    def properties_of(self, item: int, name: bytes) -> Iterator[bytes]:
        """The content of an item's properties of this name."""
        for index in self.items[item].properties:
            if 1 <= index <= len(self.properties) and self.properties[index - 1][0] == name:
                yield self.properties[index - 1][1]

    def targets_of(self, name: bytes, item: int) -> list[int]:
        """The existing items that an item refers to under this name."""
        return [
            other
            for kind, source, targets in self.references
            if (kind, source) == (name, item)
            for other in targets
            if other in self.items
        ]

    def sources_of(self, name: bytes, item: int) -> list[int]:
        """The existing items that refer to an item under this name, each once."""
        found = (
            source
            for kind, source, targets in self.references
            if kind == name and item in targets and source in self.items
        )
        return list(dict.fromkeys(found))


def read_boxes(data: bytes, place: range) -> Iterator[tuple[bytes, range]]:
    """Name and content of each box.

    Raises:
        DecodeFailed: If one extends beyond its parent, or there are too many.
    """
    start = place.start
    for _ in range(MAX_BOXES):
        if start + 8 > place.stop:
            return
        size, head = read_field(data, start, ">I"), 8
        if size == 1:
            size, head = read_field(data, start + 8, ">Q"), 16
        elif size == 0:
            size = place.stop - start
        if size < head or start + size > place.stop:
            raise DecodeFailed("it is truncated")
        yield data[start + 4 : start + 8], range(start + head, start + size)
        start += size
    raise DecodeFailed(f"it has more than {MAX_BOXES:,} boxes")


def read_items(data: bytes) -> Items:
    """The items of a file.

    Raises:
        DecodeFailed: If the boxes are damaged.
    """
    items = Items()
    idat = range(0)
    locations = range(0)
    for name, body in read_boxes(data, range(len(data))):
        if name != b"meta":
            continue
        for kind, place in read_boxes(data, _skip_version(body)):
            if kind == b"pitm":
                items.primary = read_field(data, place.start + 4, ">H" if data[place.start] == 0 else ">I")
            elif kind == b"iinf":
                _read_kinds(data, place, items)
            elif kind == b"iprp":
                _read_properties(data, place, items)
            elif kind == b"iref":
                _read_references(data, place, items)
            elif kind == b"idat":
                idat = place
            elif kind == b"iloc":
                locations = place
        break
    if locations:
        _Locations(data, locations).read(items, idat)
    return items


def _skip_version(body: range) -> range:
    return range(body.start + CONTAINERS_VERSIONED, body.stop)


def _read_kinds(data: bytes, place: range, items: Items) -> None:
    wide = read_field(data, place.start, "B") != 0
    for name, body in read_boxes(data, range(place.start + (8 if wide else 6), place.stop)):
        items.count_entry()
        if name != b"infe":
            continue
        version = read_field(data, body.start, "B")
        if version not in (2, 3):
            raise DecodeFailed("its items are of an old kind")
        item = read_field(data, body.start + 4, ">H" if version == 2 else ">I")
        kind = body.start + (8 if version == 2 else 10)
        items.items.setdefault(item, Item()).kind = data[kind : kind + 4]


def _read_properties(data: bytes, place: range, items: Items) -> None:
    for name, body in read_boxes(data, place):
        if name == b"ipco":
            items.properties = []
            for kind, at in read_boxes(data, body):
                items.count_entry()
                items.properties.append((kind, data[at.start : at.stop]))
        elif name == b"ipma":
            _read_associations(data, body, items)


def _read_associations(data: bytes, place: range, items: Items) -> None:
    wide_items = read_field(data, place.start, "B") >= 1
    wide_indexes = read_field(data, place.start + 3, "B") & 1
    at = place.start + 8
    for _ in range(read_field(data, place.start + 4, ">I")):
        items.count_entry()
        item = read_field(data, at, ">I" if wide_items else ">H")
        at += 4 if wide_items else 2
        count = read_field(data, at, "B")
        at += 1
        for _ in range(count):
            items.count_entry()
            index = read_field(data, at, ">H") & 0x7FFF if wide_indexes else read_field(data, at, "B") & 0x7F
            at += 2 if wide_indexes else 1
            if item in items.items:
                items.items[item].properties.append(index)


def _read_references(data: bytes, place: range, items: Items) -> None:
    form, width = (">H", 2) if read_field(data, place.start, "B") == 0 else (">I", 4)
    for name, body in read_boxes(data, _skip_version(place)):
        source = read_field(data, body.start, form)
        count = read_field(data, body.start + width, ">H")
        first = body.start + width + 2
        targets = []
        for i in range(count):
            items.count_entry()
            targets.append(read_field(data, first + width * i, form))
        items.references.append((name, source, targets))


class _Locations:
    """The `iloc` box, which defines the widths of its numbers."""

    def __init__(self, data: bytes, place: range) -> None:
        self._data = data
        self._at = place.start + 6
        self._version = read_field(data, place.start, "B")
        widths = read_field(data, place.start + 4, ">H")
        self._widths = [widths >> 12, widths >> 8 & 15, widths >> 4 & 15, widths & 15]

    def read(self, items: Items, idat: range) -> None:
        offset_width, length_width, base_width, index_width = self._widths
        wide = 4 if self._version >= 2 else 2
        for _ in range(self._next(wide)):
            items.count_entry()
            item = self._next(wide)
            method = self._next(2) & 15 if self._version >= 1 else 0
            self._next(2)
            base = self._next(base_width) + (idat.start if method == 1 else 0)
            extents = self._next(2)
            if extents > MAX_EXTENTS:
                raise DecodeFailed(f"an item has more than {MAX_EXTENTS} pieces")
            for _ in range(extents):
                items.count_entry()
                if self._version >= 1:
                    self._next(index_width)
                start = base + self._next(offset_width)
                length = self._next(length_width)
                if item in items.items:
                    items.items[item].extents.append(range(start, min(start + length, len(self._data))))

    def _next(self, width: int) -> int:
        self._at += width
        if self._at > len(self._data):
            raise DecodeFailed("it is truncated")
        return int.from_bytes(self._data[self._at - width : self._at], "big")
