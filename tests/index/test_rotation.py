"""Protected templates: distances stay, and vectors under two keys have nothing to do with each other."""

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_templates import DIM, add_subject, enrol, made_template, open_gallery
from sqlalchemy import select

from index.database.database import Database
from index.gallery.gallery import Gallery
from index.sealing.cipher import SealingKey, TemplateCipher, template_binding
from index.sealing.rotation import draw_rotation
from index.tables import TemplateRow

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


@pytest.mark.parametrize("dim", [1, 2, 3, 32, 128, 512])
def test_a_rotation_keeps_lengths_and_angles(dim: int) -> None:
    rotation = draw_rotation(KEY, dim)

    np.testing.assert_allclose(rotation @ rotation.T, np.eye(dim), atol=1e-12)


def test_rotations_are_spread_evenly() -> None:
    # The trace of a uniform orthogonal matrix has mean 0 and variance 1 (Diaconis and Shahshahani 1994); that
    # of a few reflections would be near to the dimension.
    traces = [np.trace(draw_rotation(bytes([n]) * 32, 24)) for n in range(200)]

    assert abs(np.mean(traces)) < 0.3
    assert 0.7 < np.var(traces) < 1.4


def test_a_rotation_is_the_same_on_every_machine() -> None:
    # Reckoned once with another implementation: reflections multiplied out one by one as whole matrices.
    rotation = draw_rotation(KEY, 4)

    np.testing.assert_allclose(rotation, by_whole_matrices(KEY, 4), atol=1e-12)
    assert round(float(rotation[0, 0]), 9) == 0.109711628


def by_whole_matrices(seed: bytes, dim: int) -> np.ndarray:
    from index.sealing.rotation import _draw_normal_numbers

    numbers = iter(_draw_normal_numbers(seed, dim * (dim + 1) // 2).tolist())
    product, signs = np.eye(dim), []
    for n in range(dim):
        x = np.zeros(dim)
        x[n:] = [next(numbers) for _ in range(dim - n)]
        signs.append(1.0 if x[n] >= 0 else -1.0)
        x[n] += signs[-1] * np.linalg.norm(x)
        product = product @ (np.eye(dim) - 2 * np.outer(x, x) / (x @ x))
    return product @ np.diag(signs)


@settings(max_examples=60)
@given(a=st.integers(0, 10**6), b=st.integers(0, 10**6), dim=st.sampled_from([2, 32, 128, 512]))
def test_distances_stay_what_they_were(a: int, b: int, dim: int) -> None:
    vectors = np.random.default_rng((a, b)).standard_normal((2, dim))
    one, two = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    rotation = SealingKey(KEY).rotation(dim)

    rotated = [(rotation @ v.astype(np.float64)).astype(np.float32).astype(np.float64) for v in (one, two)]

    before = np.sum((one.astype(np.float64) - two.astype(np.float64)) ** 2)
    assert abs(np.sum((rotated[0] - rotated[1]) ** 2) - before) < 1e-5


def stored_vector(database: Database, key: bytes) -> np.ndarray:
    """What the only row holds once its seal is taken off."""
    with database.read() as db:
        row = db.scalars(select(TemplateRow)).one()
    binding = template_binding(row.id, row.subject_id, row.model_id)
    return np.frombuffer(TemplateCipher(key).open(row.id, binding, row.vector, row.key_id), "<f4")


def test_a_stored_vector_is_not_the_models_even_without_its_seal(database: Database) -> None:
    gallery = open_gallery(database, cipher=TemplateCipher(KEY))
    enrol(gallery, add_subject(database), made_template(1))

    opened, own = stored_vector(database, KEY), made_template(1).vector

    np.testing.assert_allclose(opened, SealingKey(KEY).rotation(DIM) @ own, atol=1e-6)
    # Two people are at about 2, and so are the same person's vectors of two installations.
    elsewhere = SealingKey(OTHER_KEY).rotation(DIM) @ own
    assert np.sum((opened - own) ** 2) > 1.0
    assert np.sum((opened - elsewhere) ** 2) > 1.0


def test_what_a_search_compares_is_rotated(database: Database) -> None:
    gallery = open_gallery(database, cipher=TemplateCipher(KEY))
    ana = add_subject(database)
    enrol(gallery, ana, made_template(1))

    in_memory = gallery._replay.vectors.take(np.array([1]))

    np.testing.assert_array_equal(in_memory.vectors[0], stored_vector(database, KEY))


def test_everybody_is_as_near_as_without_a_rotation(database: Database) -> None:
    plain, rotated = (
        open_gallery(database, model_id, cipher)
        for model_id, cipher in ((f"sha256:{'c' * 64}", None), (f"sha256:{'d' * 64}", TemplateCipher(KEY)))
    )
    people = [add_subject(database) for _ in range(6)]
    for gallery in (plain, rotated):
        for person, subject in enumerate(people):
            enrol(gallery, subject, made_template(person, model_id=gallery.model_id), force_reason="twice")

    for sample in range(1, 4):
        before, after = (distances(gallery, people, sample) for gallery in (plain, rotated))
        np.testing.assert_allclose(after, before, atol=1e-5)


def distances(gallery: Gallery, people: list[UUID], sample: int) -> list[float]:
    """Verified, searched for in the gallery and in a roster."""
    found = []
    for person, subject in enumerate(people):
        probe = made_template(person, sample, model_id=gallery.model_id)
        found.append(gallery.distance_to(subject, probe).d)
        found += [one.d for one in gallery.nearest(probe, 6, max_d=4.0)]
        found += [one.d for one in gallery.nearest(probe, 6, max_d=4.0, within=people[:4])]
    return found + [d for _, _, d in gallery.find_close_pairs(people, 4.0)]
