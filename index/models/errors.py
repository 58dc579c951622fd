"""Why a model cannot become the active one.

    PromotionError (a GalleryError)
    ├── PromotionRefused       promotion_refused     worse than the active one, or not compared
    ├── BundleChanged          bundle_changed        its files are not those that were registered
    ├── CalibrationUnfit       calibration_unfit     its calibration cannot serve the configured rates
    ├── CropsLeft              crops_left            too many templates are to be made first
    ├── ActiveModelChanged     active_model_changed  somebody else switched meanwhile
    ├── ShadowRunning          shadow_running        another candidate is in the shadow
    └── ShadowImpossible       shadow_impossible     it is the active model, or becomes it

They change with the rules of promotion; the gallery's errors do not.
"""

from index.errors import GalleryError


class PromotionError(GalleryError):
    """A model cannot become active now; the active one stays."""


class PromotionRefused(PromotionError):
    """The comparison with the active model is unfavourable; a person may override it with a reason."""

    code = "promotion_refused"

    def __init__(self, reason: str, worse_in: list[str]) -> None:
        super().__init__(f"The model is not promoted: {reason}.")
        self.worse_in = worse_in


class BundleChanged(PromotionError):
    """The bundle's files are missing, damaged, or no longer those that were registered."""

    code = "bundle_changed"

    def __init__(self, model_id: str, reason: str) -> None:
        super().__init__(f"The bundle of model {model_id} cannot be used: {reason}")
        self.model_id = model_id


class CalibrationUnfit(PromotionError):
    """This model's calibration does not cover the configured rates."""

    code = "calibration_unfit"

    def __init__(self, model_id: str, reason: str) -> None:
        super().__init__(f"Model {model_id} cannot decide at the configured rates: {reason}")


class CropsLeft(PromotionError):
    """Too many kept crops have no template of the model yet; a request would take too long."""

    code = "crops_left"

    def __init__(self, crops: int) -> None:
        super().__init__(
            f"{crops} kept crops have no template of this model yet: run a job of kind `reembed` first, "
            "or `invigil models promote`."
        )
        self.crops = crops


class ActiveModelChanged(PromotionError):
    """The active model has changed since the switch was decided."""

    code = "active_model_changed"

    def __init__(self, expected: str | None, actual: str | None) -> None:
        super().__init__(f"The active model is {actual} now; the switch was decided when it was {expected}.")


class ShadowRunning(PromotionError):
    """Only one candidate at a time runs in the shadow of the active model."""

    code = "shadow_running"

    def __init__(self, model_id: str) -> None:
        super().__init__(f"Model {model_id} is in the shadow now; end that first.")
        self.model_id = model_id


class ShadowImpossible(PromotionError):
    """The active model has no shadow of itself."""

    code = "shadow_impossible"

    def __init__(self, model_id: str) -> None:
        super().__init__(f"Model {model_id} is in use, or about to be: it cannot be its own candidate.")
