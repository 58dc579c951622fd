"""Faces to train on: what is read, what is refused, and who is held out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_training import people, write_folders, write_shards

from training.data.confusions import read_confusions
from training.data.faces import Split, class_labels, read_faces, split_identities
from training.data.groups import find_groups, read_groups
from training.data.pairs import read_pairs
from training.data.pictures import open_pictures
from training.embedder.augment import Augmentation, augment, mix
from training.embedder.batches import ByIdentity, EveryFace, Part, Views
from training.embedder.recipe import Recipe, read_recipe
from training.engine.run import load_checkpoint
from training.errors import PicturesInvalid, SplitInvalid, TrainingError
from training.jobs.workflow import build_failure
from training.mining.pool import read_triplets


def test_folders_and_shards_hold_the_same_faces(tmp_path: Path) -> None:
    made = people(3, 2)
    rows = {f"{i}-{k}.png": (name, made[name][k]) for i, name in enumerate(made) for k in range(2)}

    folders = read_faces(write_folders(tmp_path / "folders", made))
    shards = read_faces(write_shards(tmp_path / "shards", {"a.tar": rows}))

    assert folders.identities == shards.identities == [name for name in made for _ in range(2)]
    assert folders.digest == shards.digest
    assert folders.crop(0).shape == (112, 112, 3)


def test_an_undecodable_picture_is_skipped_counted_and_named(tmp_path: Path) -> None:
    (picture,) = people(1, 1)["person 00"]
    truncated = picture[: len(picture) // 2]
    files: dict[str, tuple[str, bytes | None]] = {
        "good.png": ("ada", picture),
        "text.png": ("ada", b"no picture at all"),
        "truncated.png": ("ada", truncated[:20]),
        "absent.png": ("ada", None),
    }

    faces = read_faces(write_shards(tmp_path / "faces", {"a.tar": files}))

    assert faces.names == ["a.tar/good.png"]
    assert set(faces.skipped) == {"a.tar/text.png", "a.tar/truncated.png", "a.tar/absent.png"}
    assert "decoded" in faces.skipped["a.tar/text.png"]
    assert "missing" in faces.skipped["a.tar/absent.png"]


def test_a_picture_of_another_size_is_not_an_aligned_face(tmp_path: Path, astronaut_jpeg: bytes) -> None:
    made = people(1, 1) | {"astronaut": [astronaut_jpeg]}

    faces = read_faces(write_folders(tmp_path / "faces", made))

    assert len(faces) == 1
    assert "not an aligned face of 112x112" in faces.skipped["astronaut/0.png"]


def test_an_empty_shard_is_refused_by_its_name(tmp_path: Path) -> None:
    (picture,) = people(1, 1)["person 00"]
    shards: dict[str, dict[str, tuple[str, bytes | None]]] = {
        "full.tar": {"a.png": ("ada", picture)},
        "empty.tar": {"b.png": ("bob", None)},
    }

    with pytest.raises(PicturesInvalid, match=r"empty\.tar: the shard holds no face"):
        read_faces(write_shards(tmp_path / "faces", shards))


def test_a_shard_of_no_bytes_is_refused_by_its_name(tmp_path: Path) -> None:
    (picture,) = people(1, 1)["person 00"]
    folder = write_shards(tmp_path / "faces", {"a.tar": {"a.png": ("ada", picture)}})
    (folder / "a.tar").write_bytes(b"")

    with pytest.raises(PicturesInvalid, match=r"a\.tar"):
        read_faces(folder)


def test_no_identity_is_trained_on_and_held_out(tmp_path: Path) -> None:
    faces = read_faces(write_folders(tmp_path / "faces", people(20, 2)))

    split = split_identities(faces, 0.4, seed=3)
    trained = {faces.identities[row] for row in split.training_rows(faces)}

    assert len(split.calibrate) == len(split.test) == 4
    assert not trained & split.held_out
    assert trained | split.held_out == set(faces.identities)


def test_one_seed_gives_one_split_and_another_seed_another(tmp_path: Path) -> None:
    faces = read_faces(write_folders(tmp_path / "faces", people(20, 2)))

    again = split_identities(faces, 0.4, seed=3)

    assert split_identities(faces, 0.4, seed=3) == again
    assert split_identities(faces, 0.4, seed=4) != again


def test_identities_with_one_picture_are_trained_on_and_never_held_out(tmp_path: Path) -> None:
    lonely = {f"lonely {i}": pictures for i, pictures in enumerate(people(10, 1, seed=1).values())}
    faces = read_faces(write_folders(tmp_path / "faces", people(10, 2) | lonely))

    split = split_identities(faces, 0.5, seed=0)
    trained = {faces.identities[row] for row in split.training_rows(faces)}

    assert not split.held_out & set(lonely)
    assert set(lonely) <= trained


def test_too_few_identities_cannot_be_split(tmp_path: Path) -> None:
    faces = read_faces(write_folders(tmp_path / "faces", people(4, 2)))

    with pytest.raises(SplitInvalid, match="4 identities have two pictures"):
        split_identities(faces, 0.1, seed=0)


def test_an_identity_in_both_parts_of_a_split_is_refused(tmp_path: Path) -> None:
    Split(7, ("ada", "bob"), ("eve",)).write(tmp_path / "split.json")
    edited = (tmp_path / "split.json").read_text().replace("eve", "bob")
    (tmp_path / "split.json").write_text(edited)

    with pytest.raises(SplitInvalid, match="1 identities are in both parts"):
        Split.read(tmp_path / "split.json")


def test_an_epoch_shows_every_face_once(tmp_path: Path) -> None:
    rows = np.arange(10) * 3
    order = EveryFace(rows, batch=4, seed=1)

    seen = np.concatenate([order.rows_of(step) for step in range(5)])

    assert sorted(seen[:10]) == sorted(seen[10:]) == list(rows)
    assert list(seen[:10]) != list(seen[10:])


def test_a_batch_by_identity_holds_as_many_faces_of_each_and_nobody_with_one_picture() -> None:
    labels = np.array([0, 0, 1, 1, 1, 2, -1, 3, 3])
    order = ByIdentity(np.arange(9), labels, batch=6, each=2, seed=0)

    batches = [labels[order.rows_of(step)] for step in range(20)]

    assert order.left_out == 1
    assert all((batch[::2] == batch[1::2]).all() and len(set(batch)) == 3 for batch in batches)
    assert set(np.concatenate(batches)) == {0, 1, 3}


def test_two_processes_see_the_two_halves_of_what_one_sees(tmp_path: Path) -> None:
    faces = read_faces(write_folders(tmp_path / "faces", people(4, 2)))
    rows = np.arange(len(faces))
    labels = class_labels(faces, rows)

    def views(part: Part) -> Views:
        order = EveryFace(rows, batch=4, seed=5)
        return Views(faces, labels, order, Augmentation(), seed=5, part=part)

    whole = views(Part())[3]
    halves = [views(Part(rank, 2))[3] for rank in range(2)]

    for rank, half in enumerate(halves):
        assert (half.faces == whole.faces[rank::2]).all()
        assert (half.labels == whole.labels[rank::2]).all()


def test_one_seed_gives_one_view_and_another_seed_another(tmp_path: Path) -> None:
    crop = read_faces(write_folders(tmp_path / "faces", people(1, 1))).crop(0)
    everything = Augmentation(grey=1, blur=1, rescale=1, jpeg=1, noise=1, cut_out=1, colour=1)

    view = augment(crop, everything, np.random.default_rng(1))

    assert view.shape == crop.shape
    assert view.dtype == np.uint8
    assert (view == augment(crop, everything, np.random.default_rng(1))).all()
    assert (view != augment(crop, everything, np.random.default_rng(2))).any()


def test_without_any_change_the_view_is_the_face(tmp_path: Path) -> None:
    crop = read_faces(write_folders(tmp_path / "faces", people(1, 1))).crop(0)
    nothing = Augmentation(
        flip=0, rotation_degrees=0, scale_from=1, scale_to=1, shift_px=0,
        colour=0, grey=0, blur=0, rescale=0, jpeg=0, noise=0, cut_out=0,
    )  # fmt: skip

    assert (augment(crop, nothing, np.random.default_rng(0)) == crop).all()


def test_a_mix_holds_something_of_both_faces() -> None:
    black, white = np.zeros((112, 112, 3), np.uint8), np.full((112, 112, 3), 200, np.uint8)

    mixes = [mix(black, white, np.random.default_rng(seed)) for seed in range(10)]

    assert all(0.05 < mixed.mean() / 200 < 0.95 for mixed in mixes)


CANARY = "4f8a-secret"
UNREADABLE = {
    "columns": f"{CANARY},{CANARY}\n1,2\n",
    "a cell": f"identity,group\na,b\n{CANARY},{CANARY}\n{CANARY},c\n",
    "one group": f"identity,group\n{CANARY},{CANARY}\n",
    "three fields": f"identity,group\na,b,{CANARY}\n",
    "hard triplets": "anchor,positive,negative,d_positive,d_negative,known\n" + f"a,a,a,{CANARY},1,1\n",
    "a quote": f'identity,group\n"a"{CANARY},b\n',
    "bytes": b"\xff" + CANARY.encode(),
    "environment": f"A={CANARY}\0B={CANARY}\0",
    "split": f'{{"seed": 1, "calibrate": ["{CANARY}"], "test": ["{CANARY}"]}}',
    "json": f'{{"{CANARY}": 1}}',
    "described": f"shard,file,identity\n{CANARY},a.png,x\n",
    "toml": f"[optimiser]\nsamples = 1\n{CANARY} = {CANARY}\n",
    "pairs": f"path_a,path_b,same\n{CANARY},b,{CANARY}\n",
}
READERS: dict[str, Callable[[Path], object]] = {
    "groups": read_groups,
    "groups of people": lambda path: find_groups(path, ["a"], ["a"]),
    "confusions": read_confusions,
    "hard triplets": lambda path: read_triplets(path, ["a"]),
    "pairs": read_pairs,
    "split": Split.read,
    "archive": open_pictures,
    "described set": lambda path: open_pictures(path.parent),
    "faces": read_faces,
    "checkpoint": load_checkpoint,
    "recipe as TOML": lambda path: read_recipe(path, Recipe),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_in_a_file_that_cannot_be_read_is_not_told(
    tmp_path: Path, read: Callable[[Path], object], content: str | bytes
) -> None:
    path = tmp_path / "faces.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    assert CANARY not in told_of(read, path)


def told_of(read: Callable[[Path], object], path: Path) -> str:
    """What the reader and the job that it is a step of say; nothing where it can make something of it."""
    try:
        read(path)
    except TrainingError as error:
        return f"{error} {build_failure('gather', error).detail}"
    except Exception as error:
        return build_failure("gather", error).detail
    return ""
