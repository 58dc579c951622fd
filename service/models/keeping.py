"""Bundles in use outlive the folders they came from: our own copy of each goes before the original."""

from embedding.bundle import Bundle
from embedding.embedder import Embedder
from embedding.errors import BundleError
from index.models.keeping import keep_copy
from index.models.models import Model
from index.models.promotion import open_registered
from service.logs import log
from service.settings import Settings


def open_kept(model: Model, settings: Settings) -> Embedder:
    """The embedder of a registered model, of our own copy where there is one; raises as `open_registered`."""
    return open_registered(model, settings.data_dir, settings.image_limits, settings.picture_workers)


def keep_or_warn(bundle: Bundle, settings: Settings) -> None:
    """Copy the bundle of a model in use into the data folder.

    Where nothing can be written there, the original serves as well as it did: that is worth a warning, and no
    reason to close the door.
    """
    try:
        keep_copy(bundle, settings.data_dir)
    except (OSError, BundleError) as error:
        log.warning("bundle_not_kept", model_id=bundle.model_id, reason=str(error))
