"""Install a model bundle on this machine from a folder, an archive or an address, always verified."""

import gzip
import hashlib
import http.client
import itertools
import shutil
import tarfile
import tempfile
import urllib.request
import zipfile
import zlib
from pathlib import Path
from typing import Any

from embedding.bundle import MANIFEST, Bundle, put_in_place
from embedding.errors import BundleCorrupted, BundleInvalid, BundleNotFound

MAX_BYTES = 512 * 1024 * 1024
MOST_MEMBERS = 100
BESIDE = ("MODEL_CARD.md", "figures.json")
"""What lies beside a bundle and says how it was measured: exams' papers take their figures from it."""
TIMEOUT_SECONDS = 60
_BLOCK_BYTES = 1 << 20

# Errors of the archive readers on a damaged or truncated file.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError)


def is_address(source: str) -> bool:
    """Whether a source is downloaded."""
    return source.startswith(("https://", "http://"))


def install(source: str, into: Path, sha256: str | None = None) -> Bundle:
    """Install a verified bundle under `into`, in a folder with the bundle's name; all of it or nothing.

    Args:
        source: A bundle's folder, a `.tar`, `.tar.gz` or `.zip` of one, or the address of such an archive.
        into: The folder of all bundles.
        sha256: Digest of the archive, or of the folder's manifest. An address needs one: a download is
            trusted for its content, not for its origin.

    Raises:
        BundleNotFound: If there is nothing at the source.
        BundleCorrupted: If a digest differs.
        BundleInvalid: If it is not a bundle, or another bundle with its name is installed.
    """
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".install-", dir=into) as scratch:
        folder = _unpack(source, Path(scratch), sha256)
        bundle = Bundle.load(folder)
        return _install_files(bundle, Path(scratch) / "whole", into / bundle.manifest.name)


def _unpack(source: str, scratch: Path, sha256: str | None) -> Path:
    """Check the source's digest and return the folder that holds the manifest."""
    if is_address(source):
        if sha256 is None:
            raise BundleInvalid(source, "an address needs --sha256, the digest of the archive")
        archive = scratch / "archive"
        _fetch(source, archive)
    elif Path(source).is_dir():
        _check_digest(Path(source) / MANIFEST, source, sha256)
        return Path(source)
    else:
        archive = Path(source)
    _check_digest(archive, source, sha256)
    return _extract(archive, source, scratch / "unpacked")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: only the given address is requested."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Requests nothing."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _fetch(address: str, target: Path) -> None:
    try:
        with _OPENER.open(address, timeout=TIMEOUT_SECONDS) as answer, target.open("wb") as file:
            while block := answer.read(_BLOCK_BYTES):
                file.write(block)
                if file.tell() > MAX_BYTES:
                    raise BundleInvalid(address, f"it is larger than {MAX_BYTES:,} bytes")
    except (OSError, http.client.HTTPException) as error:
        raise BundleNotFound(f"{address} ({error})") from error


def _check_digest(file: Path, source: str, sha256: str | None) -> None:
    if not file.is_file():
        raise BundleNotFound(source)
    with file.open("rb") as opened:
        actual = hashlib.file_digest(opened, "sha256").hexdigest()
    if sha256 is not None and actual != sha256.lower():
        raise BundleCorrupted(source, f"its SHA-256 is {actual}, not {sha256.lower()}")


def _extract(archive: Path, source: str, target: Path) -> Path:
    """Unpack plain files only; paths that leave the folder are refused (CVE-2007-4559)."""
    target.mkdir()
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                _check_limits(source, sum(one.file_size for one in packed.infolist()), len(packed.infolist()))
                packed.extractall(target)
        else:
            with tarfile.open(archive) as packed_tar:
                sizes = [one.size for one in itertools.islice(packed_tar, MOST_MEMBERS + 1)]
                _check_limits(source, sum(sizes), len(sizes))
                packed_tar.extractall(target, filter="data")
    except _DAMAGE as error:
        raise BundleInvalid(source, f"it is no bundle: {error}") from error
    manifests = sorted(target.rglob(MANIFEST))
    if len(manifests) != 1:
        raise BundleInvalid(source, f"it holds {len(manifests)} files named {MANIFEST} instead of one")
    return manifests[0].parent


def _check_limits(source: str, unpacked_bytes: int, members: int) -> None:
    if members > MOST_MEMBERS:
        raise BundleInvalid(source, f"it has more than {MOST_MEMBERS} members")
    if unpacked_bytes > MAX_BYTES:
        raise BundleInvalid(source, f"unpacked it has {unpacked_bytes:,} bytes; the limit is {MAX_BYTES:,}")


def _install_files(bundle: Bundle, draft: Path, target: Path) -> Bundle:
    """Copy the bundle's own files, and no others next to them, to the target."""
    if target.exists() and Bundle.load(target).model_id != bundle.model_id:
        raise BundleInvalid(target, "another model is installed under this name")
    copy_bundle(bundle, draft)
    put_in_place(draft, target)
    return Bundle.load(target)


def copy_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Copy the bundle's own files into a new folder and verify them there.

    Raises:
        BundleCorrupted: If a file has changed since the bundle was opened.
        OSError: If the folder cannot be written to.
    """
    folder.mkdir()
    for name in (MANIFEST, *(record.file for record in bundle.manifest.files)):
        shutil.copyfile(bundle.path / name, folder / name)
    for name in BESIDE:
        if (bundle.path / name).is_file():
            shutil.copyfile(bundle.path / name, folder / name)
    copy = Bundle.load(folder)
    if copy.manifest != bundle.manifest:
        raise BundleCorrupted(bundle.path, "another bundle has taken its place since it was opened")
    return copy
