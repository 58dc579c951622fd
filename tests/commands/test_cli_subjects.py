"""invigil subjects: list, rename, erase."""

from pathlib import Path

from fixtures_cli import CommandLine


def test_people_are_listed_renamed_and_erased(
    cli: CommandLine, tmp_path: Path, astronaut_jpeg: bytes
) -> None:
    for person in ("s-1", "s-2"):
        (tmp_path / "photos" / person).mkdir(parents=True)
    (tmp_path / "photos" / "s-1" / "a.jpg").write_bytes(astronaut_jpeg)
    (tmp_path / "photos" / "s-2" / "b.jpg").write_bytes(b"no picture")
    cli.run("enrol", "photos", "--json")

    renamed = cli.run("subjects", "rename", "s-1", "--name", "Eileen Collins")
    listed = cli.run("subjects", "list", "COLLINS", "--json").document["items"]
    without = cli.run("subjects", "list", "--without-template", "--json").document["items"]
    erased = cli.run("subjects", "erase", "s-1", "--yes", "--json")

    assert renamed.status == 0, renamed
    assert [one["external_id"] for one in listed] == ["s-1"]
    assert [one["external_id"] for one in without] == ["s-2"]
    assert erased.document["templates"] == 1
    assert [one["external_id"] for one in cli.run("subjects", "list", "--json").document["items"]] == ["s-2"]
    assert cli.run("subjects", "erase", "s-1", "--yes").status == 2
    assert cli.run("subjects", "rename", "s-2").status == 2
