"""External ids: what one may hold, when two of them are the same, and when two look the same.

A name that is composed otherwise, typed in capitals or in full width is the same id; an id whose letters come
from another alphabet is another one, and nobody at a door can tell them apart. The first kind is compared by
a key, the second by skeletons (Unicode Technical Standard #39, section 4).
"""

import functools
import json
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from importlib import resources

MAX_CHARACTERS = 255
MAX_KEY_BYTES = 2_600
"""PostgreSQL's index takes no longer text; 255 characters of any alphabet stay below."""

_REFUSED = {
    "Cc": "control characters",
    "Cf": "invisible formatting characters",
    "Co": "private-use characters",
    "Cn": "unassigned characters",
    "Cs": "halves of a character",
    "Zl": "line separators",
    "Zp": "paragraph separators",
}

# Nobody sees these either, although they are no format characters (Unicode's Default_Ignorable_Code_Point).
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
    """An external id as it is stored: NFC, without blanks around it.

    Raises:
        ValueError: Saying what is wrong, as the end of a sentence about the id.
    """
    plain = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(plain) <= MAX_CHARACTERS:
        raise ValueError(f"it must have 1 to {MAX_CHARACTERS} characters, not {len(plain)}")
    if plain.isascii() and plain.isprintable():
        # Most are, and a roster has many. In such an id nothing becomes more than two characters.
        return plain
    found = next((_REFUSED[kind] for kind in map(unicodedata.category, plain) if kind in _REFUSED), None)
    if found:
        raise ValueError(f"it must not hold {found}")
    if all(one in _INVISIBLE for one in plain):
        raise ValueError("it must hold something that can be seen")
    if any(form and len(form.encode()) > MAX_KEY_BYTES for form in forms_of(plain).values()):
        raise ValueError(f"it is longer than {MAX_KEY_BYTES} bytes where it is spelled out to be compared")
    return plain


def build_external_key(text: str) -> str:
    """What external ids are compared by: caseless compatibility matching (The Unicode Standard, D146).

    Characters that nobody sees do not count, so that a pasted id is found too.
    """
    if text.isascii():
        return text.strip().lower() or text
    folded = unicodedata.normalize("NFD", text).casefold()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())
    return unicodedata.normalize("NFKC", _strip_invisible(folded)).strip() or folded


def skeleton(text: str) -> str:
    """UTS 39's skeleton: two texts that have the same one can be taken for each other."""
    mapped = _strip_invisible(unicodedata.normalize("NFD", text)).translate(_build_prototypes())
    return unicodedata.normalize("NFD", mapped)


def forms_of(external_id: str | None) -> dict[str, str | None]:
    """The columns by which an external id is compared.

    The skeletons are of the id as it is, in small and in capital letters, since these are all one id: a
    Cyrillic `Ѕ-1` is refused where `s-1` is there already.
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
    """Each confusable character and what stands for all that it can be taken for.

    The package has Unicode's confusables.txt as pairs in both directions, so that the prototype of a group
    is not marked. Any member will do, as long as it is one for all: the longest, for only a single character
    can be mapped.
    """
    pairs = json.loads(
        resources.files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8")
    )
    near: defaultdict[str, set[str]] = defaultdict(set)
    for character, others in pairs.items():
        # The file sets text that runs from right to left in marks, which are none of it.
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
