"""A built wheel, installed somewhere else: it has all it needs."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow("builds a wheel and starts processes from where it is installed")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, unpacked as an installation does."""
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(
        ROOT, folder / "source", ignore=shutil.ignore_patterns(".*", "tests", "var", "runs", "build")
    )
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        source,
    ]
    subprocess.run(list(map(str, command)), check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line of the installed wheel, in a folder of its own."""
    environment = os.environ | {"PYTHONPATH": str(installed), "INVIGIL_DATA_DIR": str(folder / "var")}
    code = "import sys, invigil; assert sys.argv.pop(1) in invigil.__file__; invigil.main()"
    command = [sys.executable, "-c", code, str(installed), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_an_installed_wheel_makes_its_database_enrols_and_verifies(
    installed: Path, astronaut_jpeg: bytes, tmp_path: Path
) -> None:
    photos = tmp_path / "photos" / "A1"
    photos.mkdir(parents=True)
    (photos / "one.jpg").write_bytes(astronaut_jpeg)

    upgraded = run(installed, tmp_path, "db", "upgrade")
    enrolled = run(installed, tmp_path, "enrol", "photos")
    verified = run(installed, tmp_path, "verify", "A1", str(photos / "one.jpg"))

    assert upgraded.returncode == 0, upgraded.stderr
    assert enrolled.returncode == 0, enrolled.stderr
    assert verified.returncode == 0, verified.stderr


def test_an_installed_wheel_has_the_pages_recipes_and_checkpoints(installed: Path) -> None:
    assert list(installed.glob("service/web/templates/*.html"))
    assert list(installed.glob("training/reports/*.html"))
    assert list(installed.glob("training/recipes/*.toml"))
    assert list(installed.glob("training/checkpoints/*.pt"))
