"""People who do not exist: a number is a person, whom the shipped bundle takes for nobody else."""

import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from embedding.embedder import Embedder
from embedding.errors import PeopleInvalid
from embedding.people.generator import MANIFEST, SHIPPED_PEOPLE, MadeUpPeople
from embedding.people.photograph import encode_jpeg, photograph
from embedding.quality import Purpose
from embedding.template import distance


@pytest.fixture(scope="module")
def people() -> MadeUpPeople:
    """The generator that ships."""
    return MadeUpPeople.open()


def picture(people: MadeUpPeople, number: int, capture: int) -> bytes:
    """A photograph of a made-up person."""
    crop = people.draw(people.person(number), people.captures(number, capture + 1)[-1:])[0]
    return encode_jpeg(photograph(crop, number))


def test_a_number_is_always_the_same_person(people: MadeUpPeople) -> None:
    again = MadeUpPeople.open()

    same = np.array_equal(people.person(7), again.person(7))
    drawn = [one.draw(one.person(7), one.captures(7, 2)) for one in (people, again)]

    assert same
    assert np.array_equal(drawn[0], drawn[1])
    assert drawn[0].shape == (2, 112, 112, 3)
    assert not np.array_equal(drawn[0][0], drawn[0][1])


def test_pictures_of_one_person_match_and_of_two_do_not(people: MadeUpPeople, embedder: Embedder) -> None:
    match = embedder.bundle.calibration.threshold(1e-4)
    seen = {
        number: [embedder.embed(picture(people, number, at), Purpose.VERIFY).template for at in (0, 1)]
        for number in people.manifest.people[:8]
    }

    mated = [distance(first, second) for first, second in seen.values()]
    non_mated = [distance(a, b) for one, other in combinations(seen.values(), 2) for a in one for b in other]
    assert max(mated) <= match
    assert min(non_mated) > match


def test_a_relative_is_as_near_as_the_share_says(people: MadeUpPeople) -> None:
    shares = [0.0, 0.3, 0.6, 1.0]

    away = [float(np.linalg.norm(people.relative(5, share) - people.person(5))) for share in shares]

    assert away[0] == 0
    assert away == sorted(away)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The generator's folder, to be spoilt."""
    return shutil.copytree(SHIPPED_PEOPLE, tmp_path / "people")


def test_a_damaged_file_is_refused(copy: Path) -> None:
    (copy / "decoder.onnx").write_bytes(b"\0")

    with pytest.raises(PeopleInvalid, match="SHA-256"):
        MadeUpPeople.open(copy)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("format", 2, "format"),
        ("identity", 65, "decoder"),
        ("spread", 0, "spread"),
        ("decoder", None, "decoder"),
    ],
)
def test_a_generator_of_another_version_is_refused(copy: Path, key: str, value: object, reason: str) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text(json.dumps({**manifest, key: value}))

    with pytest.raises(PeopleInvalid, match=reason) as refused:
        MadeUpPeople.open(copy)

    assert "\n" not in str(refused.value)


def test_no_generator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PeopleInvalid, match=MANIFEST):
        MadeUpPeople.open(tmp_path)
