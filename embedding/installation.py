"""Bringing a model bundle onto this machine: from a folder, an archive or an address, always verified."""

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
TIMEOUT_SECONDS = 60
_BLOCK_BYTES = 1 << 20

# What the archive readers raise on a damaged or cut-off file.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError)


def is_address(source: str) -> bool:
    """Whether a source is fetched over the network."""
    return source.startswith(("https://", "http://"))


def install(source: str, into: Path, sha256: str | None = None) -> Bundle:
    """Put a verified bundle under `into`, in a folder of its name; all of it or nothing.

    Args:
        source: A bundle's folder, a `.tar`, `.tar.gz` or `.zip` of one, or the address of such an archive.
        into: Where bundles are kept.
        sha256: Digest of the archive, or of the folder's manifest. An address needs one: what comes over a
            network is trusted for what it is and not for where it came from.

    Raises:
        BundleNotFound: If there is nothing at the source.
        BundleCorrupted: If a digest differs.
        BundleInvalid: If it is no bundle, or another bundle of its name is installed.
    """
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".install-", dir=into) as scratch:
        folder = _unpacked(source, Path(scratch), sha256)
        bundle = Bundle.load(folder)
        return _moved(bundle, Path(scratch) / "whole", into / bundle.manifest.name)


def _unpacked(source: str, scratch: Path, sha256: str | None) -> Path:
    """The folder that holds the manifest, once the source's own digest has been checked."""
    if is_address(source):
        if sha256 is None:
            raise BundleInvalid(source, "an address needs --sha256, the digest of the archive")
        archive = scratch / "archive"
        _fetch(source, archive)
    elif Path(source).is_dir():
        _check(Path(source) / MANIFEST, source, sha256)
        return Path(source)
    else:
        archive = Path(source)
    _check(archive, source, sha256)
    return _extracted(archive, source, scratch / "unpacked")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The address that was given is the one that is asked, and no other that it names."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No request."""


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


def _check(file: Path, source: str, sha256: str | None) -> None:
    if not file.is_file():
        raise BundleNotFound(source)
    with file.open("rb") as opened:
        actual = hashlib.file_digest(opened, "sha256").hexdigest()
    if sha256 is not None and actual != sha256.lower():
        raise BundleCorrupted(source, f"its SHA-256 is {actual}, not {sha256.lower()}")


def _extracted(archive: Path, source: str, target: Path) -> Path:
    """Unpack plain files only; names that lead elsewhere are refused (CVE-2007-4559)."""
    target.mkdir()
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                _bound(source, sum(one.file_size for one in packed.infolist()), len(packed.infolist()))
                packed.extractall(target)
        else:
            with tarfile.open(archive) as packed_tar:
                sizes = [one.size for one in itertools.islice(packed_tar, MOST_MEMBERS + 1)]
                _bound(source, sum(sizes), len(sizes))
                packed_tar.extractall(target, filter="data")
    except _DAMAGE as error:
        raise BundleInvalid(source, f"it is no bundle: {error}") from error
    manifests = sorted(target.rglob(MANIFEST))
    if len(manifests) != 1:
        raise BundleInvalid(source, f"it holds {len(manifests)} files named {MANIFEST} instead of one")
    return manifests[0].parent


def _bound(source: str, unpacked_bytes: int, members: int) -> None:
    if members > MOST_MEMBERS:
        raise BundleInvalid(source, f"it has more than {MOST_MEMBERS} members")
    if unpacked_bytes > MAX_BYTES:
        raise BundleInvalid(source, f"unpacked it has {unpacked_bytes:,} bytes; the limit is {MAX_BYTES:,}")


def _moved(bundle: Bundle, draft: Path, target: Path) -> Bundle:
    """The bundle's own files in their place; what else lay beside them stays behind."""
    if target.exists() and Bundle.load(target).model_id != bundle.model_id:
        raise BundleInvalid(target, "another model is installed under this name")
    copy_bundle(bundle, draft)
    put_in_place(draft, target)
    return Bundle.load(target)


def copy_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle's own files in a new folder, each verified there.

    Raises:
        BundleCorrupted: If a file is no longer what it was.
        OSError: If the folder cannot be written.
    """
    folder.mkdir()
    for name in (MANIFEST, *(record.file for record in bundle.manifest.files)):
        shutil.copyfile(bundle.path / name, folder / name)
    card = bundle.path / "MODEL_CARD.md"
    if card.is_file():
        shutil.copyfile(card, folder / card.name)
    copy = Bundle.load(folder)
    if copy.manifest != bundle.manifest:
        raise BundleCorrupted(bundle.path, "another bundle has taken its place since it was opened")
    return copy
