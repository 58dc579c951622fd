"""A bundle in use is copied into the data folder, and outlives the folder that it came from."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fixtures_cli import CommandLine
from fixtures_service import Service
from full_disk import files_of_at_most
from structlog.testing import capture_logs

from embedding.bundle import Bundle
from embedding.errors import BundleCorrupted
from index.models.keeping import find_copy_path, is_whole, keep_copy

pytestmark = [pytest.mark.usefixtures("nobody_else"), pytest.mark.not_quick("copies and opens bundles")]

OVERRIDE = {"override_reason": "a test has no comparison"}


def place_of(bundle: Bundle, data_dir: Path) -> Path:
    return find_copy_path(data_dir, bundle.model_id, bundle.calibration.id)


def test_an_upgrade_that_brings_another_model_leaves_the_one_in_use_its_files(
    tmp_path: Path, shipped_bundle: Path, turned: Bundle, astronaut_jpeg: bytes
) -> None:
    shipped = tmp_path / "shipped"
    shutil.copytree(shipped_bundle, shipped)
    cli = CommandLine(tmp_path, shipped)
    (tmp_path / "photos" / "ann").mkdir(parents=True)
    (tmp_path / "photos" / "ann" / "portrait.jpg").write_bytes(astronaut_jpeg)
    cli.run("enrol", "photos")

    shutil.rmtree(shipped)
    shutil.copytree(turned.path, shipped)
    verified = cli.run("verify", "ann", "photos/ann/portrait.jpg", "--json")

    assert verified.status == 0, verified.stderr
    assert verified.document["decision"] == "match"
    assert verified.document["model_id"] == Bundle.load(shipped_bundle).model_id


def test_a_promoted_model_needs_the_folder_no_more_that_it_was_registered_in(
    start_service: Callable[..., Service], turned: Bundle, tmp_path: Path, astronaut_jpeg: bytes
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(turned.path, elsewhere)
    service = start_service()
    service.parts.models.register_bundle(Bundle.load(elsewhere), actor="test")
    service.call("POST", f"/v1/models/{turned.model_id}/promote", json=OVERRIDE)
    subject = service.enrolled(astronaut_jpeg)

    shutil.rmtree(elsewhere)
    later = start_service()

    answer = later.call("POST", f"/v1/subjects/{subject}/verify", files={"image": astronaut_jpeg})
    assert (answer.status_code, answer.json()["model_id"]) == (200, turned.model_id)


def test_a_copy_that_was_damaged_is_replaced_by_the_original(turned: Bundle, tmp_path: Path) -> None:
    place = keep_copy(turned, tmp_path)
    (place / turned.manifest.embedder.file).write_bytes(b"damaged")
    before = is_whole(place)

    again = keep_copy(turned, tmp_path)

    assert (before, again, is_whole(again)) == (False, place_of(turned, tmp_path), True)


def test_a_bundle_that_was_replaced_since_it_was_opened_is_not_copied_under_its_name(
    shipped_bundle: Path, turned: Bundle, tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(shipped_bundle, folder)
    opened = Bundle.load(folder)
    shutil.copytree(turned.path, folder, dirs_exist_ok=True)

    with pytest.raises(BundleCorrupted):
        keep_copy(opened, tmp_path)

    assert list((tmp_path / "models").iterdir()) == []


def test_two_who_copy_at_the_same_time_leave_one_whole_copy(turned: Bundle, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as several:
        places = set(several.map(lambda _: keep_copy(turned, tmp_path), range(16)))

    assert places == set((tmp_path / "models").iterdir())
    assert [is_whole(place) for place in places] == [True]


def test_without_room_for_a_copy_the_service_goes_on_with_the_original_and_says_so(
    start_service: Callable[..., Service], tmp_path: Path, astronaut_jpeg: bytes
) -> None:
    with files_of_at_most(1_000_000), capture_logs() as logs:
        service = start_service()

    told = [entry for entry in logs if entry["event"] == "bundle_not_kept"]
    assert [entry["model_id"] for entry in told] == [service.parts.embedder.model_id]
    assert "File too large" in told[0]["reason"]
    assert list((tmp_path / "models").iterdir()) == []
    service.enrolled(astronaut_jpeg)


def test_where_nothing_may_be_written_a_model_is_promoted_all_the_same(
    start_service: Callable[..., Service], turned: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "models").write_text("no folder")
    service = start_service()
    service.parts.models.register_bundle(turned, actor="test")

    with capture_logs() as logs:
        answer = service.call("POST", f"/v1/models/{turned.model_id}/promote", json=OVERRIDE)

    assert (answer.status_code, answer.json()["model"]["state"]) == (200, "active")
    assert "bundle_not_kept" in {entry["event"] for entry in logs}
