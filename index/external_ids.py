"""External ids: which are allowed, when two are the same, and when two look the same.

An id in another Unicode composition, in capitals or in full width is the same id. An id with letters from
another alphabet is a different one that nobody at a door can tell apart. Keys detect the first kind,
skeletons the second (Unicode Technical Standard #39, section 4).
"""

import functools
import json
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from importlib import resources

MAX_CHARACTERS = 255
MAX_KEY_BYTES = 2_600
"""The longest text that PostgreSQL's index takes; 255 characters of any alphabet are shorter."""

_REFUSED = {
    "Cc": "control characters",
    "Cf": "invisible formatting characters",
    "Co": "private-use characters",
    "Cn": "unassigned characters",
    "Cs": "halves of a character",
    "Zl": "line separators",
    "Zp": "paragraph separators",
}

# These are invisible too, although they are not format characters (Unicode's Default_Ignorable_Code_Point).
_INVISIBLE = frozenset(
    chr(number)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xE0100, 0xE01EF),
    )
    for number in range(first, last + 1)
)


def normalise_external_id(text: str) -> str:
    """An external id in its stored form: NFC, without surrounding white space.

    Raises:
        ValueError: If it is not allowed; the message is the end of a sentence about the id.
    """
    plain = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(plain) <= MAX_CHARACTERS:
        raise ValueError(f"it must have 1 to {MAX_CHARACTERS} characters, not {len(plain)}")
    if plain.isascii() and plain.isprintable():
        # Most ids are ASCII, and a roster has many. In these no character becomes more than two.
        return plain
    found = next((_REFUSED[kind] for kind in map(unicodedata.category, plain) if kind in _REFUSED), None)
    if found:
        raise ValueError(f"it must not hold {found}")
    if all(one in _INVISIBLE for one in plain):
        raise ValueError("it must hold something that can be seen")
    if any(form and len(form.encode()) > MAX_KEY_BYTES for form in build_forms(plain).values()):
        raise ValueError(f"it is longer than {MAX_KEY_BYTES} bytes where it is spelled out to be compared")
    return plain


def build_external_key(text: str) -> str:
    """The key for comparing external ids: caseless compatibility matching (The Unicode Standard, D146).

    Invisible characters do not count, so that a pasted id is found too.
    """
    if text.isascii():
        return text.strip().lower() or text
    folded = unicodedata.normalize("NFD", text).casefold()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())
    return unicodedata.normalize("NFKC", _strip_invisible(folded)).strip() or folded


def fold_name(name: str | None) -> str | None:
    """A name as it is searched and sorted: compared as external ids are, so `ÉVA` finds `Éva`."""
    return None if name is None else build_external_key(name)


def skeleton(text: str) -> str:
    """UTS 39's skeleton: two texts with the same skeleton look alike."""
    mapped = _strip_invisible(unicodedata.normalize("NFD", text)).translate(_build_prototypes())
    return unicodedata.normalize("NFD", mapped)


def build_forms(external_id: str | None) -> dict[str, str | None]:
    """The columns by which an external id is compared.

    There are skeletons of the id as written, in lower case and in upper case, since all of these are one id:
    a Cyrillic `Ѕ-1` is refused if `s-1` exists.
    """
    if external_id is None:
        return dict.fromkeys(("external_key", *SKELETONS))
    key = build_external_key(external_id)
    texts = (external_id, key, external_id.upper())
    skeletons = dict(zip(SKELETONS, map(skeleton, texts), strict=True))
    return {"external_key": key, **skeletons}


SKELETONS = ("external_skeleton", "external_skeleton_lower", "external_skeleton_upper")


def look_alike(one: Mapping[str, str | None], other: Mapping[str, str | None]) -> bool:
    """Whether two ids, by their forms, have a skeleton in common."""
    return any(one[name] is not None and one[name] == other[name] for name in SKELETONS)


def _strip_invisible(text: str) -> str:
    if text.isascii():
        return text
    return "".join(one for one in text if one not in _INVISIBLE and unicodedata.category(one) != "Cf")


@functools.cache
def _build_prototypes() -> dict[int, str]:
    """Maps each confusable character to one prototype for all characters that look like it.

    The package has Unicode's confusables.txt as pairs in both directions and does not mark the prototype of a
    group. Any member will do if it is the same for the whole group: we take the longest, because only single
    characters can be mapped.
    """
    pairs = json.loads(
        resources.files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8")
    )
    near: defaultdict[str, set[str]] = defaultdict(set)
    for character, others in pairs.items():
        # The file wraps right-to-left text in direction marks, which are not part of it.
        near[_decompose(character)] |= {_decompose(other["c"]) for other in others}
    prototypes: dict[int, str] = {}
    left = set(near)
    while left:
        group = _find_reachable(near, left.pop())
        left -= group
        first = max(group, key=lambda one: (len(one), len(near[one]), one))
        prototypes |= {ord(one): first for one in group if len(one) == 1 and one != first}
    while (resolved := {one: to.translate(prototypes) for one, to in prototypes.items()}) != prototypes:
        prototypes = resolved
    return prototypes


def _decompose(text: str) -> str:
    return _strip_invisible(unicodedata.normalize("NFD", text)) or text


def _find_reachable(near: Mapping[str, set[str]], start: str) -> set[str]:
    found, left = {start}, [start]
    while left:
        new = near[left.pop()] - found
        found |= new
        left += new
    return found
