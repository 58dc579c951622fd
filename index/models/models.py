"""The models of this installation. Exactly one is active, once there is any."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from index import audit
from index.database.database import Database
from index.errors import ModelNotFound, NothingToRollBack
from index.tables import ModelRow, TemplateRow, utc_now

if TYPE_CHECKING:
    from embedding.bundle import Bundle

State = Literal["candidate", "incoming", "active", "retired"]


@dataclass(frozen=True)
class Model:
    """A registered model bundle.

    Attributes:
        state: `candidate` until first active, `retired` afterwards; `incoming` while every process opens it,
            so that the switch delays no request.
        facts: The bundle's manifest at the time of registration.
        gate: How it compares with the model that was active when it was made; None if never compared.
        location: The bundle's folder.
        replaced_id: The model that was active before this one, which a rollback returns to.
    """

    id: str
    name: str
    dim: int
    state: State
    calibration_id: str | None
    facts: dict[str, Any]
    gate: dict[str, Any] | None
    location: str | None
    replaced_id: str | None
    registered_at: datetime
    activated_at: datetime | None


class Models:
    """The models of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin_with(
        self, bundle: "Bundle", *, actor: str = "system", replace_unused: bool = False
    ) -> tuple[Model, Model]:
        """Register a bundle and, if there is no active model yet, activate it; in one transaction.

        Args:
            bundle: The bundle that the process was started with.
            actor: For the audit chain.
            replace_unused: Also activate it instead of another model if nobody is enrolled.

        Returns:
            The bundle's model, and the active one.
        """
        with self._database.write() as db:
            row = _register(db, actor, bundle.model_id, bundle.dim, _fields_of(bundle))
            present = _find_active(db)
            if present is None or (replace_unused and not _is_anybody_enrolled(db)):
                make_active(db, row.id, actor=actor)
                present = row
            return _build_model(row), _build_model(present)

    def register_bundle(self, bundle: "Bundle", *, actor: str) -> Model:
        """Register a bundle's model, as `register` does."""
        with self._database.write() as db:
            return _build_model(_register(db, actor, bundle.model_id, bundle.dim, _fields_of(bundle)))

    def register(
        self,
        model_id: str,
        *,
        name: str,
        dim: int,
        calibration_id: str | None = None,
        facts: dict[str, Any] | None = None,
        gate: dict[str, Any] | None = None,
        location: str | None = None,
        actor: str,
    ) -> Model:
        """Register a model as a candidate. A registered model keeps its state and gets the new facts.

        A recorded comparison stays until another one is given.

        Args:
            model_id: Digest of the bundle's content; the same content is the same model wherever it is.
            name: Its name, for people.
            dim: Length of its vectors.
            calibration_id: The calibration that turns its distances into error rates.
            facts: The bundle's manifest.
            gate: How it compares with the active model: incumbent_id, candidate_id, verdict, worse_in, …
            location: The bundle's folder.
            actor: Who registers it, for the audit chain.
        """
        fields: dict[str, Any] = {
            "name": name,
            "calibration_id": calibration_id,
            "facts": facts or {},
            "location": location,
        }
        if gate is not None:
            fields["gate"] = gate
        with self._database.write() as db:
            return _build_model(_register(db, actor, model_id, dim, fields))

    def activate(self, model_id: str, *, actor: str, details: dict[str, Any] | None = None) -> Model:
        """Activate a model; the current one retires in the same transaction.

        Args:
            model_id: A registered model.
            actor: Who decides.
            details: The reason, for the audit chain.

        Raises:
            ModelNotFound: If it is not registered.
        """
        with self._database.write() as db:
            return make_active(db, model_id, actor=actor, details=details)

    def announce(self, model_id: str) -> Model:
        """Announce the model that is about to become active, so that every process opens it as well.

        Raises:
            ModelNotFound: If it is not registered.
        """
        with self._database.write() as db:
            row = _find_row(db, model_id)
            _withdraw(db, ModelRow.state == "incoming")
            if row.state != "active":
                row.state = "incoming"
            db.flush()
            return _build_model(row)

    def rollback(self, *, actor: str, details: dict[str, Any] | None = None) -> Model:
        """Activate the model that the current one replaced.

        Raises:
            NothingToRollBack: If the current one replaced none.
        """
        with self._database.write() as db:
            return roll_back(db, actor=actor, details=details)

    def active(self) -> Model | None:
        """The active model; None before there is one."""
        with self._database.read() as db:
            row = _find_active(db)
            return _build_model(row) if row else None

    def withdraw(self, model_id: str) -> None:
        """Withdraw an announcement; does nothing to a model that is not announced."""
        with self._database.write() as db:
            _withdraw(db, ModelRow.id == model_id)

    def withdraw_all(self) -> None:
        """Withdraw every announcement: nobody who has made one is at work any more."""
        with self._database.write() as db:
            _withdraw(db, true())

    def find_former(self) -> Model:
        """The model that a rollback returns to.

        Raises:
            NothingToRollBack: If the active one replaced none.
        """
        with self._database.read() as db:
            return _build_model(_find_former(db))

    def find(self, model_id: str) -> Model:
        """The model with this id.

        Raises:
            ModelNotFound: If it is not registered.
        """
        with self._database.read() as db:
            return _build_model(_find_row(db, model_id))

    def list_in_use(self) -> list[Model]:
        """The active model, the one that a rollback returns to, and all with a template."""
        with self._database.read() as db:
            active = _find_active(db)
            wanted = set(db.scalars(select(TemplateRow.model_id).distinct()))
            wanted |= {one for one in (active and active.id, active and active.replaced_id) if one}
            rows = db.scalars(select(ModelRow).where(ModelRow.id.in_(wanted)).order_by(ModelRow.id))
            return [_build_model(row) for row in rows]

    def all(self) -> list[Model]:
        """Every registered model, oldest first; there are too few to need pages."""
        with self._database.read() as db:
            rows = db.scalars(select(ModelRow).order_by(ModelRow.registered_at, ModelRow.id))
            return [_build_model(row) for row in rows]


def make_active(db: Session, model_id: str, *, actor: str, details: dict[str, Any] | None = None) -> Model:
    """Activate a model within an ordered transaction; raises as `Models.activate`."""
    row = _find_row(db, model_id)
    if row.state != "active":
        row.replaced_id = _switch(db, row)
        _record(db, "model.activated", actor, row, details)
    return _build_model(row)


def roll_back(db: Session, *, actor: str, details: dict[str, Any] | None = None) -> Model:
    """Activate the former model within an ordered transaction; raises as `Models.rollback`."""
    row = _find_former(db)
    left = _switch(db, row)
    _record(db, "model.rolled_back", actor, row, {**(details or {}), "from": left})
    return _build_model(row)


def find_active_id(db: Session) -> str | None:
    """The id of the active model, as this session sees it."""
    row = _find_active(db)
    return row.id if row else None


def _register(db: Session, actor: str, model_id: str, dim: int, fields: dict[str, Any]) -> ModelRow:
    row = db.get(ModelRow, model_id)
    if row is None:
        row = ModelRow(id=model_id, dim=dim, state="candidate", **fields)
        db.add(row)
        _record(db, "model.registered", actor, row)
    else:
        for name, value in fields.items():
            setattr(row, name, value)
    db.flush()
    return row


def _fields_of(bundle: "Bundle") -> dict[str, Any]:
    calibration = bundle.manifest.calibration
    return {
        "name": bundle.manifest.name,
        "calibration_id": calibration.id if calibration else None,
        "facts": bundle.manifest.model_dump(mode="json", exclude={"calibration"}),
        "location": str(bundle.path.resolve()),
    }


def _is_anybody_enrolled(db: Session) -> bool:
    return db.scalar(select(TemplateRow.number).limit(1)) is not None


def _withdraw(db: Session, which: ColumnElement[bool]) -> None:
    for row in db.scalars(select(ModelRow).where(which, ModelRow.state == "incoming")):
        row.state = "retired" if row.activated_at else "candidate"


def _find_former(db: Session) -> ModelRow:
    present = _find_active(db)
    if present is None or present.replaced_id is None:
        raise NothingToRollBack
    return _find_row(db, present.replaced_id)


def _find_active(db: Session) -> ModelRow | None:
    return db.scalars(select(ModelRow).where(ModelRow.state == "active")).first()


def _find_row(db: Session, model_id: str) -> ModelRow:
    row = db.get(ModelRow, model_id)
    if row is None:
        raise ModelNotFound(model_id)
    return row


def _switch(db: Session, row: ModelRow) -> str | None:
    """Retire the active model and activate this one; returns the id of the retired one."""
    present = _find_active(db)
    if present is not None:
        present.state = "retired"
        # The database refuses two active rows even within a transaction, so retire one before activating the
        # other.
        db.flush()
    row.state, row.activated_at = "active", utc_now()
    db.flush()
    return present.id if present else None


def _record(
    db: Session, action: str, actor: str, row: ModelRow, details: dict[str, Any] | None = None
) -> None:
    audit.record(db, action=action, actor=actor, details={**(details or {}), "model_id": row.id})


def _build_model(row: ModelRow) -> Model:
    return Model(
        id=row.id,
        name=row.name,
        dim=row.dim,
        state=row.state,  # type: ignore[arg-type]
        calibration_id=row.calibration_id,
        facts=row.facts,
        gate=row.gate,
        location=row.location,
        replaced_id=row.replaced_id,
        registered_at=row.registered_at,
        activated_at=row.activated_at,
    )
