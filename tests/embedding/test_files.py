"""Files are there as a whole or not at all."""

from pathlib import Path

import pytest

from embedding.files import replace_file, write_file


def test_what_is_written_takes_the_place_of_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"former")

    write_file(path, b"new", mode=0o600)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_former_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(b"former")

    def fail() -> None:
        with replace_file(path) as draft:
            draft.write_bytes(b"half of")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert path.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_that_a_crash_has_left_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    (tmp_path / ".split.json.draft").write_bytes(b"half of")

    write_file(path, b"new")

    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
