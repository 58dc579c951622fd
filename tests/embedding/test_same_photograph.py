"""The same photograph, whatever was done to it, and not another one of the same person."""

from itertools import combinations

import numpy as np
import pytest
from fixtures_pictures import Picture

from benchmarks.same_photograph import ALTERATIONS
from embedding.embedder import Embedder
from embedding.people.generator import MadeUpPeople
from embedding.people.photograph import encode_jpeg, photograph
from embedding.quality import Purpose
from embedding.same_photograph import MOST_PLACES, Agreement, find_places, is_among, measure_agreement

CAPTURES = 3


@pytest.fixture(scope="module")
def people() -> MadeUpPeople:
    """The generator that ships."""
    return MadeUpPeople.open()


@pytest.fixture(scope="module")
def whole(people: MadeUpPeople) -> Picture:
    """The first photograph of the first of them, as a camera gives it."""
    number = people.manifest.people[0]
    return photograph(people.draw(people.person(number), people.captures(number, 1))[0], number)


@pytest.fixture(scope="module")
def crops(embedder: Embedder, people: MadeUpPeople) -> dict[int, list[Picture]]:
    """Aligned faces of several photographs of each of some made-up people."""
    return {
        number: [
            crop_of(embedder, photograph(one, number))
            for one in people.draw(people.person(number), people.captures(number, CAPTURES))
        ]
        for number in people.manifest.people[:8]
    }


def crop_of(embedder: Embedder, picture: Picture) -> Picture:
    return embedder.embed(encode_jpeg(picture), Purpose.CHECKIN).crop


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_an_altered_copy_of_a_photograph_is_the_same_photograph_at_the_door(
    embedder: Embedder, crops: dict[int, list[Picture]], whole: Picture, alteration: str
) -> None:
    (enrolled, *_), *_ = crops.values()

    held_up = crop_of(embedder, ALTERATIONS[alteration](whole))

    assert is_among(held_up, [enrolled])


def test_another_photograph_of_the_same_person_is_not_the_same_photograph(
    crops: dict[int, list[Picture]],
) -> None:
    others = [pair for own in crops.values() for pair in combinations(own, 2)]

    assert [is_among(a, [b]) for a, b in others] == [False] * len(others)


def test_a_photograph_is_found_among_several_others(crops: dict[int, list[Picture]]) -> None:
    first, second, third = next(iter(crops.values()))

    assert is_among(first, [second, third, first.copy()])
    assert not is_among(first, [second, third])
    assert not is_among(first, [])


def test_whole_pictures_are_compared_as_faces_are(astronaut: Picture) -> None:
    whole, mirrored = find_places(astronaut), find_places(np.ascontiguousarray(astronaut[:, ::-1]))

    # The descriptors of a mirrored picture follow from its own: they need not be found again.
    again = measure_agreement(whole.mirrored(), mirrored)

    assert again.share > 0.9
    assert measure_agreement(whole, mirrored).is_same_photograph


@pytest.mark.parametrize("shape", [(112, 112, 3), (1, 1, 3), (1, 900, 3), (900, 1, 3)])
def test_a_picture_without_features_agrees_with_nothing_not_even_itself(shape: tuple[int, ...]) -> None:
    plain = find_places(np.full(shape, 128, np.uint8))

    assert measure_agreement(plain, plain) == Agreement(0, 0.0)


def test_a_plain_picture_is_not_the_same_as_a_face(astronaut: Picture) -> None:
    face, plain = find_places(astronaut), find_places(np.zeros((64, 64, 3), np.uint8))

    assert not measure_agreement(face, plain).is_same_photograph
    assert not measure_agreement(plain, face).is_same_photograph


def test_a_huge_picture_has_no_more_places_than_a_small_one_may_have(astronaut: Picture) -> None:
    huge = np.kron(astronaut, np.ones((6, 6, 1), np.uint8))

    places = find_places(huge)

    assert len(places.points) <= MOST_PLACES
    assert measure_agreement(places, find_places(astronaut)).is_same_photograph


def test_a_repeated_pattern_is_no_photograph_that_was_seen_before(astronaut: Picture) -> None:
    tile = np.kron(np.indices((14, 14)).sum(0) % 2, np.ones((8, 8)))
    pattern = np.repeat((tile * 255)[..., None], 3, axis=2).astype(np.uint8)

    assert not measure_agreement(find_places(pattern), find_places(astronaut)).is_same_photograph
