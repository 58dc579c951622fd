"""Faces of enrolments in the pages of jobs: put in while somebody looks, and gone with the person."""

import io
import json
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from made_templates import open_gallery
from PIL import Image

from index.crops import Crops, NewCrop, keep_crop
from index.database.database import Database
from index.jobs.folders import fill_in, make_private, remove_former_pages, remove_targets, write_private
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects
from training.data.enrolled import build_crop_name, parse_crop_name
from training.mining.review import write_review

CIPHER = TemplateCipher(bytes(range(32)))


def face(shade: int) -> bytes:
    """A crop as it is kept."""
    stream = io.BytesIO()
    Image.fromarray(np.full((112, 112, 3), shade, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def kept(database: Database, shade: int) -> tuple[UUID, UUID]:
    """Somebody with a kept crop."""
    subject_id = Subjects(database).add(actor="test").id
    with database.write() as db:
        return subject_id, keep_crop(db, CIPHER, subject_id, NewCrop(face(shade), days=30))


def page_about(folder: Path, *people: tuple[UUID, UUID]) -> Path:
    """The review page of a mining among enrolments."""
    names = [build_crop_name(*one) for one in people]
    pair = {
        "a": names[0],
        "b": names[1],
        "identity_a": str(people[0][0]),
        "identity_b": str(people[1][0]),
        "d": 0.3,
    }
    page = folder / "review.html"
    write_review(page, [pair], lambda name: face(9))
    return page


def test_a_page_holds_no_face_of_an_enrolment_and_shows_it_while_it_may(
    database: Database, tmp_path: Path
) -> None:
    page = page_about(tmp_path, ana := kept(database, 50), kept(database, 200)).read_text()
    gallery, crops = open_gallery(database, cipher=CIPHER), Crops(database, CIPHER)

    before, gone_before = fill_in(page, crops)
    gallery.erase(ana[0], actor="test")
    after, gone_after = fill_in(page, crops)

    assert "data:image" not in page
    assert (before.count("data:image/png"), gone_before) == (2, 0)
    assert (after.count("data:image/png"), gone_after) == (1, 1)
    assert "crop:" not in after


@pytest.mark.parametrize("end", ["withdrawn", "expired"])
def test_a_face_is_shown_no_longer_than_its_legal_basis_lasts(
    database: Database, tmp_path: Path, end: str
) -> None:
    ana, ben = kept(database, 50), kept(database, 200)
    page = page_about(tmp_path, ana, ben).read_text()

    if end == "withdrawn":
        open_gallery(database, cipher=CIPHER).withdraw(ana[0], actor="test")
    else:
        basis = {"basis": "consent", "expires_at": "2026-01-01T00:00:00+00:00"}
        Subjects(database).change(ana[0], legal_basis=basis, actor="test")

    assert fill_in(page, Crops(database, CIPHER))[1] == 1


def test_without_the_key_a_page_shows_no_face(database: Database, tmp_path: Path) -> None:
    page = page_about(tmp_path, kept(database, 50), kept(database, 200)).read_text()

    text, gone = fill_in(page, None)

    assert ("data:image/png" in text, gone) == (False, 2)


@pytest.mark.parametrize(
    "name",
    [
        "enrolled/ana/1.png",
        "faces/ana/01.jpg",
        "enrolled/a.png",
        "",
        f"other/{UUID(int=1)}/{UUID(int=2)}.png",
    ],
)
def test_other_pictures_are_not_taken_for_enrolments(name: str) -> None:
    assert parse_crop_name(name) is None


def test_former_pages_with_faces_of_enrolments_are_removed_and_the_others_stay(tmp_path: Path) -> None:
    page = '<img src="data:image/jpeg;base64,AAAA">'
    for job, crops in (("former", ["a"]), ("folders", [])):
        mined = tmp_path / "jobs" / job / "mined"
        mined.mkdir(parents=True)
        (mined.parent / "gathered.json").write_text(json.dumps({"crops": crops}))
        for file in (mined.parent / "report.html", mined / "review.html"):
            file.write_text(page)

    removed = remove_former_pages(tmp_path)

    former = tmp_path / "jobs" / "former"
    assert sorted(removed) == [former / "mined" / "review.html", former / "report.html"]
    assert (tmp_path / "jobs" / "folders" / "report.html").read_text() == page
    assert remove_former_pages(tmp_path) == []
    assert {place.stat().st_mode & 0o077 for place in (former, *former.rglob("*"))} == {0}


def test_what_a_teacher_makes_of_enrolments_goes_when_the_job_ends(tmp_path: Path) -> None:
    for job, crops in (("enrolled", ["a"]), ("folders", [])):
        (tmp_path / job / "targets").mkdir(parents=True)
        (tmp_path / job / "gathered.json").write_text(json.dumps({"crops": crops}))
        remove_targets(tmp_path / job)

    assert not (tmp_path / "enrolled" / "targets").exists()
    assert (tmp_path / "folders" / "targets").exists()


def test_a_private_file_replaces_one_that_others_may_read(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("old")
    file.chmod(0o644)

    write_private(file, "new")

    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)


def test_rights_are_taken_from_the_folder_and_not_from_what_a_link_leads_to(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("not ours")
    other.chmod(0o644)
    folder = tmp_path / "job"
    folder.mkdir(mode=0o755)
    (folder / "link").symlink_to(other)

    make_private(folder)

    assert (folder.stat().st_mode & 0o777, other.stat().st_mode & 0o777) == (0o700, 0o644)
