"""multipart/form-data in memory: no picture of a face is ever spooled to a disk.

The parts of a form are few and named by the route; what is missing, empty, repeated or unknown is refused.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import InvalidRequest, WrongMediaType

MAX_PARTS = 24
UNNAMED_TYPES = frozenset({"", "application/octet-stream"})
"""What a picture's part may be called besides `image/…`; what it is, its bytes decide (`embedding.image`)."""


@dataclass
class Part:
    """One part of a form as it was sent."""

    name: str = ""
    media_type: str = ""
    data: bytearray = field(default_factory=bytearray)


class _Collector:
    """Takes the parser's events and keeps the parts."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._header = bytearray()
        self._value = bytearray()

    def on_part_begin(self) -> None:
        if len(self.parts) == MAX_PARTS:
            raise InvalidRequest("/body", "too_many_parts", f"A form has at most {MAX_PARTS} parts.")
        self.parts.append(Part())

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        name, value = self._header.decode("latin-1").lower(), self._value.decode("latin-1")
        self._header.clear()
        self._value.clear()
        if name == "content-type":
            self.parts[-1].media_type = parse_options_header(value)[0].decode("latin-1")
        elif name == "content-disposition":
            label = parse_options_header(value)[1].get(b"name", b"")
            self.parts[-1].name = label.decode("utf-8", "replace")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].data += memoryview(data)[start:end]

    def on_end(self) -> None:
        self.ended = True


async def receive_parts(
    chunks: AsyncIterator[bytes], content_type: str, hold: Callable[[int], None]
) -> list[Part]:
    """The parts of a multipart/form-data body, taken apart while it arrives: it is never held as a whole.

    Args:
        chunks: The body.
        content_type: Of the request.
        hold: Is told how many bytes more are held; it may refuse them.

    Raises:
        WrongMediaType: If the request is not multipart/form-data.
        InvalidRequest: If the body does not follow RFC 7578, or stops before its closing boundary.
    """
    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        raise WrongMediaType("/header/content-type", media_type.decode("latin-1"), "multipart/form-data")
    if not options.get(b"boundary"):
        raise InvalidRequest(
            "/header/content-type", "missing_boundary", "The Content-Type names no boundary."
        )
    collector = _Collector()
    callbacks = {name: getattr(collector, name) for name in dir(collector) if name.startswith("on_")}
    try:
        parser = MultipartParser(options[b"boundary"], callbacks)  # type: ignore[arg-type]
        async for chunk in chunks:
            hold(len(chunk))
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise InvalidRequest("/body", "malformed_form", "The body is not a well-formed form.") from error
    if not collector.ended:
        raise InvalidRequest("/body", "truncated_form", "The form stops before its closing boundary.")
    return collector.parts


@dataclass(frozen=True)
class Form:
    """A form whose parts are all known: pictures as bytes, the rest as text.

    Attributes:
        several: Pictures of which a form may have more than one, in the order in which they came.
    """

    images: dict[str, bytes]
    fields: dict[str, str]
    several: dict[str, list[bytes]] = field(default_factory=dict)

    def contents(self) -> Iterator[bytes]:
        """Everything in it, in an order of its own: equal forms give equal contents."""
        for name in sorted(self.images):
            yield from (name.encode(), self.images[name])
        for name in sorted(self.several):
            for picture in self.several[name]:
                yield from (name.encode(), picture)
        for name in sorted(self.fields):
            yield from (name.encode(), self.fields[name].encode())


def read_form(
    parts: Sequence[Part],
    images: Sequence[str],
    fields: Sequence[str] = (),
    several: Mapping[str, int] = MappingProxyType({}),
) -> Form:
    """Exactly one part for each name in `images`, at most one for each name in `fields`, nothing else.

    Of a name in `several` there may be as many pictures as it says.

    Raises:
        InvalidRequest: If a part is missing, empty, repeated, unknown or not text.
        WrongMediaType: If a picture's part declares another media type.
    """
    known: dict[str, Part] = {}
    many: dict[str, list[bytes]] = {}
    for part in parts:
        if part.name in several:
            many.setdefault(part.name, []).append(_picture(part.name, part))
            if len(many[part.name]) > several[part.name]:
                limit = f"A form has at most {several[part.name]} `{part.name}`."
                raise InvalidRequest(f"/body/{part.name}", "too_many", limit)
            continue
        if part.name not in (*images, *fields):
            known_names = ", ".join(f"`{name}`" for name in (*images, *fields, *several))
            raise InvalidRequest("/body", "unknown_part", f"The form may have the parts {known_names} only.")
        if part.name in known:
            raise InvalidRequest(
                f"/body/{part.name}", "repeated", f"There is more than one `{part.name}` part."
            )
        known[part.name] = part
    return Form(
        images={name: _picture(name, known.get(name)) for name in images},
        fields={name: _text(name, known[name]) for name in fields if name in known},
        several=many,
    )


def _picture(name: str, part: Part | None) -> bytes:
    if part is None:
        raise InvalidRequest(f"/body/{name}", "missing", f"The `{name}` part is missing.")
    if not part.media_type.startswith("image/") and part.media_type not in UNNAMED_TYPES:
        raise WrongMediaType(
            f"/body/{name}", part.media_type, "image/jpeg, image/png, image/webp, image/bmp or image/heic"
        )
    if not part.data:
        raise InvalidRequest(f"/body/{name}", "empty", f"The `{name}` part is empty.")
    picture = bytes(part.data)
    part.data.clear()
    return picture


def _text(name: str, part: Part) -> str:
    try:
        return part.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"/body/{name}", "not_utf8", f"The `{name}` part is not UTF-8 text.") from error
