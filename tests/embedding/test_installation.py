"""Bringing a bundle onto a machine: from a folder, an archive, an address; never half, never unverified."""

import hashlib
import http.server
import io
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from embedding.bundle import MANIFEST, Bundle
from embedding.errors import BundleCorrupted, BundleError, BundleInvalid, BundleNotFound
from embedding.installation import install


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def archive(shipped_bundle: Path, tmp_path: Path) -> Path:
    """The shipped bundle as `.tar.gz`."""
    path = tmp_path / "bundle.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        packed.add(shipped_bundle, "some-folder")
    return path


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine that serves `tmp_path`."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_bundle_is_installed_from_a_folder(shipped_bundle: Path, tmp_path: Path) -> None:
    installed = install(str(shipped_bundle), tmp_path / "bundles")

    assert installed.path.parent == tmp_path / "bundles"
    assert installed.manifest == Bundle.load(shipped_bundle).manifest
    assert [path.name for path in (tmp_path / "bundles").iterdir()] == [installed.manifest.name]


def test_a_bundle_is_installed_from_a_tar_with_its_digest(archive: Path, tmp_path: Path) -> None:
    installed = install(str(archive), tmp_path / "bundles", sha256(archive))

    assert Bundle.load(installed.path).model_id == installed.model_id


def test_a_bundle_is_installed_from_a_zip(shipped_bundle: Path, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "bundle"), "zip", shipped_bundle)

    installed = install(packed, tmp_path / "bundles")

    assert installed.model_id == Bundle.load(shipped_bundle).model_id


def test_a_bundle_is_installed_from_an_address(archive: Path, address: str, tmp_path: Path) -> None:
    installed = install(f"{address}/{archive.name}", tmp_path / "bundles", sha256(archive))

    assert Bundle.load(installed.path).model_id == installed.model_id


def test_an_address_needs_a_digest(archive: Path, address: str, tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="sha256"):
        install(f"{address}/{archive.name}", tmp_path / "bundles")


def test_an_address_without_a_bundle_is_said_so(address: str, tmp_path: Path) -> None:
    with pytest.raises(BundleNotFound, match="404"):
        install(f"{address}/nothing.tar", tmp_path / "bundles", "0" * 64)


def test_an_archive_with_another_digest_is_not_opened(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleCorrupted, match="SHA-256"):
        install(str(archive), tmp_path / "bundles", "0" * 64)

    assert list((tmp_path / "bundles").iterdir()) == []


def test_a_corrupted_bundle_is_not_installed(shipped_bundle: Path, tmp_path: Path) -> None:
    spoilt = Path(shutil.copytree(shipped_bundle, tmp_path / "spoilt"))
    (spoilt / "embedder.onnx").write_bytes(b"nothing")

    with pytest.raises(BundleCorrupted):
        install(str(spoilt), tmp_path / "bundles")

    assert list((tmp_path / "bundles").iterdir()) == []


def test_installing_twice_leaves_one(shipped_bundle: Path, tmp_path: Path) -> None:
    first = install(str(shipped_bundle), tmp_path / "bundles")
    second = install(str(shipped_bundle), tmp_path / "bundles")

    assert first.path == second.path
    assert len(list((tmp_path / "bundles").iterdir())) == 1


def test_another_model_of_the_same_name_does_not_replace_the_first(
    shipped_bundle: Path, tmp_path: Path
) -> None:
    first = install(str(shipped_bundle), tmp_path / "bundles")
    other = Path(shutil.copytree(shipped_bundle, tmp_path / "other"))
    manifest = Bundle.load(other).manifest
    detector = manifest.detector.model_copy(update={"score_threshold": 0.55})
    (other / MANIFEST).write_text(manifest.model_copy(update={"detector": detector}).model_dump_json())

    with pytest.raises(BundleInvalid, match="another model"):
        install(str(other), tmp_path / "bundles")

    assert Bundle.load(first.path).model_id == first.model_id


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped-invigil"])
def test_an_archive_cannot_write_outside(name: str, tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as packed:
        member = tarfile.TarInfo(name)
        member.size = 4
        packed.addfile(member, io.BytesIO(b"evil"))
    into = tmp_path / "deep" / "bundles"

    with pytest.raises(BundleError):
        install(str(path), into)

    assert list(into.iterdir()) == []
    assert not list(tmp_path.rglob("escaped*"))
    assert not Path("/tmp/escaped-invigil").exists()


def test_a_zip_cannot_write_outside(tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("../../escaped", "evil")

    with pytest.raises(BundleError):
        install(str(path), tmp_path / "deep" / "bundles")

    assert not list(tmp_path.rglob("escaped*"))


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as packed:
        member = tarfile.TarInfo(MANIFEST)
        member.type = tarfile.SYMTYPE
        member.linkname = "/etc/passwd"
        packed.addfile(member)

    with pytest.raises(BundleError):
        install(str(path), tmp_path / "bundles")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_off_archive_is_refused(share: float, archive: Path, tmp_path: Path) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(BundleError):
        install(str(archive), tmp_path / "bundles")

    assert list((tmp_path / "bundles").iterdir()) == []


def test_a_damaged_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    archive.write_bytes(content)

    with pytest.raises(BundleError):
        install(str(archive), tmp_path / "bundles")


def test_nothing_at_the_source_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFound):
        install(str(tmp_path / "nothing.tar"), tmp_path / "bundles")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_of_very_many_members_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(101):
        (folder / f"{number}.txt").touch()
    archive = shutil.make_archive(str(tmp_path / "many"), kind, folder)

    with pytest.raises(BundleInvalid, match="it has more than 100 members"):
        install(archive, tmp_path / "models")
