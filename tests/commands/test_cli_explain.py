"""invigil explain: two faces, a picture and numbers; and what it refuses in one line."""

from fixtures_cli import CommandLine
from PIL import Image


def test_two_faces_are_drawn_and_every_cell_has_its_number(
    cli: CommandLine, astronaut_variants: dict[str, bytes], stranger_jpeg: bytes
) -> None:
    (cli.folder / "a.jpg").write_bytes(astronaut_variants["compressed"])
    (cli.folder / "b.jpg").write_bytes(astronaut_variants["mirrored"])
    (cli.folder / "c.jpg").write_bytes(stranger_jpeg)

    same = cli.run("explain", "a.jpg", "b.jpg", "--picture", "same.png", "--json")
    words = cli.run("explain", "a.jpg", "c.jpg")

    told = same.document
    assert (same.status, words.status) == (0, 0)
    assert [len(told["a"]), *map(len, told["b"])] == [7] * 8
    assert max(map(max, told["a"])) > 0
    with Image.open(cli.folder / "same.png") as drawn:
        assert drawn.size == (672, 336)
    assert (cli.folder / "explanation.png").exists()
    assert "row.column of 7" in words.stdout


def test_one_picture_or_one_without_a_face_is_refused_in_one_line(
    cli: CommandLine, astronaut_jpeg: bytes, faceless_pictures: dict[str, bytes]
) -> None:
    (cli.folder / "a.jpg").write_bytes(astronaut_jpeg)
    (cli.folder / "cup.jpg").write_bytes(faceless_pictures["coffee"])

    one = cli.run("explain", "a.jpg")
    none = cli.run("explain", "a.jpg", "cup.jpg")

    assert (one.status, none.status) == (2, 2)
    assert len(one.stderr.splitlines()) == len(none.stderr.splitlines()) == 1
    assert "cup.jpg" in none.stderr


def test_maps_of_mated_and_non_mated_pairs_are_tested_against_chance(
    cli: CommandLine, astronaut_variants: dict[str, bytes], stranger_jpeg: bytes
) -> None:
    pictures = {name: astronaut_variants[name] for name in ("compressed", "mirrored", "closer")}
    for name, picture in (pictures | {"stranger": stranger_jpeg}).items():
        (cli.folder / f"{name}.jpg").write_bytes(picture)
    rows = ["compressed.jpg,mirrored.jpg,1", "closer.jpg,mirrored.jpg,1"]
    rows += [f"{name}.jpg,stranger.jpg,0" for name in ("compressed", "closer")]
    (cli.folder / "pairs.csv").write_text("\n".join(["path_a,path_b,same", *rows]))

    ended = cli.run("evaluate-explanations", "--images", ".", "--pairs", "pairs.csv", "--json")

    mated, non_mated, *by_score_cam = ended.document
    assert [one["method"] for one in ended.document] == ["occlusion"] * 2 + ["Score-CAM"] * 2
    assert [one["chance"] for one in by_score_cam] == [mated["chance"], non_mated["chance"]]
    assert (mated["kind"], mated["pairs"]) == ("mated", 2)
    assert (non_mated["kind"], non_mated["pairs"]) == ("non-mated", 2)
    assert mated["interval"][0] > 0
    assert mated["gap"] > mated["chance"] + 0.1
