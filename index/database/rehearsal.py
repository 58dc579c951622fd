"""A copy of the gallery, for dry runs of enrolments."""

from typing import Any

from sqlalchemy import RowMapping, Table

from index.copying import copy_table
from index.database.database import Database
from index.tables import Base, GalleryChangeRow, ModelRow, SubjectRow, TemplateRow

_TABLES: tuple[type[Base], ...] = (ModelRow, SubjectRow, TemplateRow, GalleryChangeRow)


def copy_gallery(source: Database, target: Database) -> None:
    """Copy models, subjects and templates, which stay sealed; leaves out kept crops.

    Args:
        source: At this program's revision; only read.
        target: With empty tables.

    Raises:
        DatabaseError: If either database fails.
    """
    with source.snapshot() as old, target.write() as new:
        for row in _TABLES:
            table = row.__table__
            assert isinstance(table, Table)
            copy_table(old, new, table, _without_crop)


def _without_crop(row: RowMapping) -> dict[str, Any]:
    return {name: None if name == "crop_id" else value for name, value in row.items()}
