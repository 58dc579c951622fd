"""What a worker works with: the database, the folder of its runs, the model in use."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from embedding.bundle import Bundle
from embedding.embedder import Embedder
from index.crops import Crops
from index.database.database import Database
from index.jobs.folders import FOLDER, make_private, remove_targets
from index.jobs.jobs import Job, Jobs
from index.jobs.places import Place, refuse_places_outside
from index.models.keeping import find_copy_path
from index.models.models import Models
from index.sealing.cipher import TemplateCipher
from training.errors import WorkshopLacks


@dataclass(frozen=True)
class Workshop:
    """One installation, as a worker sees it.

    Attributes:
        data_dir: Where runs and new bundles go.
        bundle: The bundle in use where the active model's own folder is not on this machine.
        cipher: Opens kept crops.
        fmrs: False match rates that a new model must have thresholds for.
        folders: Beside `data_dir`, what jobs may read that were asked for over HTTP.
        secrets: Files in them that no such job may read.
    """

    database: Database
    data_dir: Path
    bundle: Path
    cipher: TemplateCipher | None = None
    fmrs: tuple[float, ...] = (1e-4, 1e-3)
    folders: tuple[Path, ...] = ()
    secrets: tuple[Path, ...] = ()
    jobs: Jobs = field(init=False)
    models: Models = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "jobs", Jobs(self.database))
        object.__setattr__(self, "models", Models(self.database))

    def folder(self, job_id: UUID) -> Path:
        """Where a job writes; made here."""
        folder = self.data_dir / FOLDER / str(job_id)
        folder.mkdir(parents=True, exist_ok=True)
        # What is made in it is nobody else's to read from its first byte on.
        for place in (folder.parent, folder):
            place.chmod(0o700)
        return folder

    def tidy(self, job_id: UUID) -> None:
        """Leave nothing in the folder of a job that has ended but what a person needs to decide."""
        folder = self.folder(job_id)
        remove_targets(folder)
        make_private(folder)

    def check_places(self, job: Job, places: Iterator[Place]) -> None:
        """Refuse what a job names outside the folders it may read.

        Raises:
            JobInvalid: If it was asked for over HTTP, and names such a place.
        """
        if job.confined:
            refuse_places_outside((self.data_dir, *self.folders), places, self.secrets)

    def crops(self) -> Crops:
        """The crops that enrolments kept.

        Raises:
            WorkshopLacks: If there is no key to open them.
        """
        if self.cipher is None:
            raise WorkshopLacks("a template key, without which no crop is kept: set INVIGIL_TEMPLATE_KEY")
        return Crops(self.database, self.cipher)

    def embedder(self, model_id: str | None = None) -> Embedder:
        """A registered model, or the active one; from the copy kept of it, from its own folder, or from
        the bundle in use.

        Raises:
            ModelNotFound: If it is not registered.
            WorkshopLacks: If its files are not on this machine.
        """
        model = self.models.find(model_id) if model_id else self.models.active()
        if model is None:
            model = self.models.begin_with(Bundle.load(self.bundle))[1]
        kept = find_copy_path(self.data_dir, model.id, model.calibration_id)
        for place in (kept, Path(model.location or ""), self.bundle):
            if (place / "manifest.json").is_file():
                opened = Embedder.open(place)
                if opened.model_id == model.id:
                    return opened
        raise WorkshopLacks(
            f"the files of model {model.id}, looked for in {model.location} and {self.bundle}"
        )
