"""Which face of several is meant: exactly one, the central one, the largest one."""

from collections.abc import Callable

import numpy as np
import pytest
from fixtures_pictures import Picture, jpeg

from embedding.detector import Face
from embedding.embedder import Embedder
from embedding.errors import MultipleFaces
from embedding.faces import CLEARLY_LARGER, FacePolicy, faces_that_count
from embedding.quality import Purpose
from embedding.template import distance

PICTURE_WIDTH = 1000


def face(width: float, middle: float = PICTURE_WIDTH / 2) -> Face:
    """A face of this width, with its middle at this place across."""
    box = np.array([middle - width / 2, 100, width, width * 1.2], np.float32)
    return Face(box, np.zeros((5, 2), np.float32), 0.9)


def chosen(policy: FacePolicy, *faces: Face) -> list[float]:
    """The widths of the faces that count."""
    return [one.width for one in faces_that_count(faces, PICTURE_WIDTH, policy)]


@pytest.mark.parametrize("policy", FacePolicy)
def test_a_person_in_the_background_counts_under_no_policy(policy: FacePolicy) -> None:
    assert chosen(policy, face(49, 100), face(100)) == [100]
    assert chosen(policy, face(100, 900)) == [100]
    assert chosen(policy) == []


@pytest.mark.parametrize("policy", FacePolicy)
def test_two_people_at_one_distance_are_both_meant_whatever_the_policy(policy: FacePolicy) -> None:
    assert chosen(policy, face(95, 200), face(100)) == [100, 95]
    assert chosen(policy, face(100 * CLEARLY_LARGER - 1), face(100, 200)) == [100 * CLEARLY_LARGER - 1, 100]


def test_a_clearly_larger_face_is_taken_where_the_policy_says_so() -> None:
    faces = face(60, 850), face(100), face(65, 100)

    assert chosen(FacePolicy.EXACTLY_ONE, *faces) == [100, 65, 60]
    assert chosen(FacePolicy.CENTRAL, *faces) == [100]
    assert chosen(FacePolicy.LARGEST, *faces) == [100]


@pytest.mark.parametrize("middle", [240, 760])
def test_a_larger_face_at_the_edge_is_not_taken_for_the_central_one(middle: float) -> None:
    faces = face(100, middle), face(60)

    assert chosen(FacePolicy.CENTRAL, *faces) == [100, 60]
    assert chosen(FacePolicy.LARGEST, *faces) == [100]


@pytest.mark.parametrize("share", [0.55, 0.6, 0.65, 0.7])
def test_the_template_beside_a_bystander_is_that_of_the_central_person(
    embedder: Embedder, astronaut_jpeg: bytes, with_bystander: Callable[..., bytes], share: float
) -> None:
    alone = embedder.embed(astronaut_jpeg, Purpose.VERIFY)

    central = embedder.with_face_policies({Purpose.VERIFY: FacePolicy.CENTRAL})
    beside = central.embed(with_bystander(share), Purpose.VERIFY)

    assert distance(alone.template, beside.template) < 0.1
    with pytest.raises(MultipleFaces):
        embedder.embed(with_bystander(share), Purpose.VERIFY)
    with pytest.raises(MultipleFaces):
        central.embed(with_bystander(share), Purpose.ENROL)
    with pytest.raises(MultipleFaces):
        central.embed(with_bystander(0.95), Purpose.VERIFY)
    with pytest.raises(MultipleFaces):
        central.embed(with_bystander(share, central=False), Purpose.VERIFY)


def test_what_is_said_of_a_picture_is_what_is_done_with_it(
    embedder: Embedder, with_bystander: Callable[..., bytes]
) -> None:
    picture = with_bystander(0.6)

    central = embedder.with_face_policies({Purpose.VERIFY: FacePolicy.CENTRAL})
    assert len(central.inspect(picture, Purpose.VERIFY).faces) == 1
    assert len(embedder.inspect(picture, Purpose.VERIFY).faces) == 2


def test_a_face_that_is_mirrored_beside_itself_is_never_chosen(
    embedder: Embedder, astronaut: Picture
) -> None:
    twins = jpeg(np.hstack([astronaut, astronaut[:, ::-1]]))

    for policy in FacePolicy:
        with pytest.raises(MultipleFaces):
            embedder.with_face_policies({Purpose.VERIFY: policy}).embed(twins, Purpose.VERIFY)
