"""Made-up people from photographs to the file that ships, and what the measurements say of it."""

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures_cli import CommandLine
from PIL import Image

from embedding.bundle import SHIPPED
from training.data.faces import Split
from training.embedder.export import make_portrait_views
from training.people.linear import fit_codes
from training.people.material import choose_faces
from training.people.measure import compute_pair_distances, measure_nearness
from training.people.recipe import Choice

CHECKPOINTS = Path(__file__).parents[2] / "training" / "checkpoints"
TINY = """
seed = 1
steps = 5
batch = 3
others = 2
warm_up_steps = 1
recognised_from = 0.2
sharp_from = 0.5
threads = 1
identity = 6
capture = 4
widths = [8, 8, 8, 8]
log_steps = 1
"""


def write_faces(folder: Path, rows: list[dict[str, str]]) -> Path:
    """A described set in which every line shows another view of the one portrait."""
    folder.mkdir()
    with tarfile.open(folder / "faces_00.tar", "w") as tar:
        for row, view in zip(rows, make_portrait_views(), strict=False):
            stream = io.BytesIO()
            Image.fromarray(view).save(stream, "PNG")
            member = tarfile.TarInfo(row["file"])
            member.size = len(stream.getvalue())
            tar.addfile(member, io.BytesIO(stream.getvalue()))
    with (folder / "faces.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder


def row(number: int, **facts: str) -> dict[str, str]:
    """A line of `faces.csv` that the recipe takes, with other facts put in."""
    plain = {"identity": "", "source": "celeba", "face_width_px": "90", "border_fraction": "0", "grey": "0"}
    return {"shard": "faces_00.tar", "file": f"{number:03}.png"} | plain | facts


def test_codes_of_identity_and_capture_are_found_again_in_what_was_made_of_them() -> None:
    random = np.random.default_rng(0)
    identity, capture = random.normal(size=(4000, 2)), random.normal(size=(4000, 2))
    axes = np.linalg.qr(random.normal(size=(8, 2)))[0].T * [[3.0], [2.0]]
    templates = identity @ axes
    shown = np.linalg.qr(random.normal(size=(30, 4)))[0].T * [[5.0], [4.0], [3.0], [2.0]]
    pictures = identity @ shown[:2] + capture @ shown[2:] + random.normal(0, 0.01, (4000, 30))

    codes = fit_codes(templates.astype(np.float32), pictures.astype(np.float32), 2, 2)
    found = codes.identity_of(torch.from_numpy(templates.astype(np.float32)))
    seen = codes.capture_of(torch.from_numpy(pictures.astype(np.float32)), found)

    together = np.corrcoef(np.column_stack([identity, capture, found.numpy(), seen.numpy()]).T)
    assert np.abs(np.abs(together[:4, 4:]) - np.eye(4)).max() < 0.1
    assert found.std(0).numpy() == pytest.approx([1, 1], abs=0.01)
    assert seen.std(0).numpy() == pytest.approx([1, 1], abs=0.05)


def test_a_recipe_learns_from_wide_coloured_faces_of_people_who_are_not_held_out(tmp_path: Path) -> None:
    rows = [
        row(0),
        row(1, identity="kept apart"),
        row(2, face_width_px="40"),
        row(3, border_fraction="0.2"),
        row(4, source="utkface", border_fraction="0.2"),
        row(5, grey="1"),
        row(6, source="mask_one"),
        row(7, source="aaf_old"),
    ]
    data = write_faces(tmp_path / "faces", rows)
    choice = Choice(border_of={"utkface": 0.22}, weight_of={"aaf": 0.5}, without=("mask",))

    names, weights = choose_faces(data, Split(1, ("kept apart",), ()), choice)

    assert [name[-7:] for name in names] == ["000.png", "004.png", "007.png"]
    assert weights == pytest.approx([0.4, 0.4, 0.2])


def test_distances_of_pairs_are_those_of_a_plain_loop() -> None:
    vectors = np.random.default_rng(3).normal(size=(7, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    of = np.array([0, 0, 1, 1, 1, 2, 3])

    mated, non_mated = compute_pair_distances(vectors, of)
    near = measure_nearness("x", vectors[:2], vectors[2:])

    pairs = [(i, j) for i in range(7) for j in range(i + 1, 7)]
    d = {pair: float(((vectors[pair[0]] - vectors[pair[1]]) ** 2).sum()) for pair in pairs}
    assert sorted(mated) == pytest.approx(sorted(d[i, j] for i, j in pairs if of[i] == of[j]), abs=1e-5)
    assert sorted(non_mated) == pytest.approx(sorted(d[i, j] for i, j in pairs if of[i] != of[j]), abs=1e-5)
    assert near.smallest == pytest.approx(min(d[i, j] for i in (0, 1) for j in range(2, 7)), abs=1e-5)


@pytest.mark.slow("trains, exports and measures a generator")
def test_a_generator_is_trained_goes_on_is_exported_and_measured(cli: CommandLine, tmp_path: Path) -> None:
    data = write_faces(tmp_path / "faces", [row(number) for number in range(40)])
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "split.json").write_text('{"seed": 1, "calibrate": [], "test": []}')
    judge = CHECKPOINTS / f"{SHIPPED.name}-embedder.pt"
    call: list[str | Path] = [
        "train-people",
        "--data",
        data,
        "--split",
        tmp_path / "split.json",
        "--recipe",
        tmp_path / "tiny.toml",
    ]
    call += ["--judge", judge, "--bundle", SHIPPED, "--run", tmp_path / "run"]

    trained = cli.run(*call)
    again = cli.run(*call)
    exported = cli.run("export-people", tmp_path / "run", "--to", tmp_path / "people-x", "--choose", "1")
    measured = cli.run(
        "measure-people", "--people", tmp_path / "people-x", "--run", tmp_path / "run",
        "--count", "3", "--captures", "2", "--json",
    )  # fmt: skip
    (tmp_path / "people-x" / "decoder.onnx").write_bytes(b"another")
    damaged = cli.run("measure-people", "--people", tmp_path / "people-x")

    assert trained.status == 0, trained.stderr
    terms = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [sorted(set(line) & {"pixels", "identity", "critic"}) for line in terms] == [
        ["pixels"],
        ["identity", "pixels"],
        ["identity", "pixels"],
        ["critic", "identity", "pixels"],
        ["critic", "identity", "pixels"],
    ]
    assert again.status == 2
    assert "resume it" in again.complaint
    assert exported.status == 0, exported.stderr
    assert measured.status == 0, measured.stderr
    assert measured.document["pictures"] == 6
    assert {one["non_mated"] for one in measured.document["verdicts"]} == {12}
    assert measured.document["nearness"][0]["whose"] == "made-up people"
    assert damaged.status == 2
    assert "SHA-256" in damaged.complaint
