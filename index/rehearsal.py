"""A copy of who is enrolled, to try on what an enrolment would come to."""

from typing import Any

from sqlalchemy import Table, insert, select

from index.database import Database
from index.tables import Base, GalleryChangeRow, ModelRow, SubjectRow, TemplateRow

_BLOCK_ROWS = 1000
_TABLES: tuple[type[Base], ...] = (ModelRow, SubjectRow, TemplateRow, GalleryChangeRow)


def copy_gallery(source: Database, target: Database) -> None:
    """Copy models, subjects and templates, which stay sealed; kept crops are left out.

    Args:
        source: At this program's revision; it is only read.
        target: With its tables, and nothing in them.

    Raises:
        DatabaseError: If one of them cannot do its part.
    """
    with source.read() as old, target.write() as new:
        for row in _TABLES:
            table = row.__table__
            assert isinstance(table, Table)
            found = old.execute(
                select(table).order_by(*table.primary_key).execution_options(yield_per=_BLOCK_ROWS)
            )
            for block in found.mappings().partitions():
                new.execute(insert(table), [_without_crop(one) for one in block])


def _without_crop(row: Any) -> dict[str, Any]:
    return {name: None if name == "crop_id" else value for name, value in row.items()}
