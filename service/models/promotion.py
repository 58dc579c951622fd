"""Promotion and rollback, step by step: checked, announced, templates made, opened everywhere, switched.

Nobody waits for it: until the switch every process decides with the present model, and from then on with the
new one, which it has open by then.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from embedding.embedder import Embedder
from embedding.errors import BundleInvalid, FmrNotSupported
from index.crops import count_without_template_of
from index.database.database import Database
from index.models.errors import BundleChanged, CalibrationUnfit, CropsLeft
from index.models.models import Model, Models, make_active, roll_back
from index.models.promotion import SwitchResult, find_gate_fault, switch_to
from index.models.reembedding import reembed
from index.sealing.cipher import TemplateCipher
from service.decisions.decision import Policy
from service.logs import log
from service.models.keeping import keep_or_warn, open_kept
from service.settings import Settings

PREPARATION_SECONDS = 3.0
"""How long other processes have at least to open an announced model."""

CROPS_IN_A_REQUEST = 2_000
"""So many templates are made while a caller waits, in about ten seconds; more are a job's work."""

OPENING_SECONDS = 60.0


class Switches:
    """Makes another model the active one, for one caller."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        cipher: TemplateCipher | None,
        *,
        actor: str,
        request_id: str | None = None,
        most_crops: int | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
        is_open: Callable[[str], bool] = lambda model_id: True,
    ) -> None:
        """Prepare; nothing is done yet.

        Args:
            settings: With the rates that the model must support.
            database: With the models.
            cipher: Opens the kept crops.
            actor: Who decides, for the audit chain.
            request_id: The request it came with.
            most_crops: With more crops to embed, `CropsLeft` is raised and nothing done.
            progress: Told how many crops are embedded, and of how many.
            is_open: Whether this process, where it serves, has opened a model.
        """
        self._settings = settings
        self._database = database
        self._cipher = cipher
        self._models = Models(database)
        self._actor = actor
        self._details = {"request_id": request_id} if request_id else {}
        self._most_crops = most_crops
        self._progress = progress
        self._is_open = is_open

    def promote(self, model_id: str, override_reason: str | None = None) -> SwitchResult:
        """Make a candidate the active model.

        Args:
            model_id: A registered model; the active one is left as it is.
            override_reason: Why it is promoted although the comparison speaks against it; audited.

        Raises:
            ModelNotFound: If it is not registered.
            PromotionRefused: If it is worse or was not compared with the active one, and no reason is given.
            PromotionError: If it cannot be used or somebody else switched meanwhile.
            DatabaseError: If it could not be written; then the present model stays.
        """
        candidate, active = self._models.find(model_id), self._models.active()
        fault = None if candidate == active else find_gate_fault(candidate, active)
        if fault is not None and override_reason is None:
            raise fault
        details: dict[str, Any] = dict(self._details)
        if fault is not None:
            details |= {"override_reason": override_reason, "fault": str(fault), "worse_in": fault.worse_in}
        change = partial(make_active, model_id=model_id)
        return self._switch(candidate, active, change, details)

    def rollback(self) -> SwitchResult:
        """Return to the model that the active one replaced; raises as `promote`, or NothingToRollBack."""
        return self._switch(self._models.find_former(), self._models.active(), roll_back, dict(self._details))

    def _switch(
        self, target: Model, active: Model | None, change: Callable[..., Model], details: dict[str, Any]
    ) -> SwitchResult:
        embedder = self._opened(target)
        require_rates(embedder, self._settings)
        self._require_few_crops(target.id)
        keep_or_warn(embedder.bundle, self._settings)
        self._models.announce(target.id)
        try:
            made = self._prepare(embedder)
            done = switch_to(
                self._database,
                self._cipher,
                embedder,
                partial(change, actor=self._actor, details=details),
                expected_active=active.id if active else None,
            )
            return replace(done, reembedded=made + done.reembedded)
        finally:
            # After a switch there is nothing to withdraw.
            self._models.withdraw(target.id)

    def _opened(self, target: Model) -> Embedder:
        try:
            return open_kept(target, self._settings)
        except BundleChanged as error:
            log.error("bundle_changed", model_id=target.id, reason=str(error))
            raise

    def _prepare(self, embedder: Embedder) -> int:
        """Embed the kept crops while the other processes open the model; returns how many."""
        announced = time.monotonic()
        made = reembed(self._database, embedder, self._cipher, progress=self._progress).made
        while not self._is_open(embedder.model_id) and time.monotonic() < announced + OPENING_SECONDS:
            time.sleep(0.1)
        time.sleep(max(0.0, announced + PREPARATION_SECONDS - time.monotonic()))
        return made

    def _require_few_crops(self, model_id: str) -> None:
        if self._most_crops is None:
            return
        with self._database.read() as db:
            crops = count_without_template_of(db, model_id)
        if crops > self._most_crops:
            raise CropsLeft(crops)


def require_rates(embedder: Embedder, settings: Settings) -> None:
    """Refuse a model whose calibration cannot tell the distances at the configured rates.

    Raises:
        CalibrationUnfit: If it cannot, or there is none.
    """
    try:
        Policy.of(embedder.bundle.calibration, settings.match_fmr, settings.refer_fmr)
    except (FmrNotSupported, BundleInvalid) as error:
        raise CalibrationUnfit(embedder.model_id, str(error)) from error
