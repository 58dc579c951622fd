"""A worker's lease on its job: what is lost stays lost, whatever the database does afterwards."""

import threading
from uuid import UUID

import pytest
from fixtures_database import OpenDatabase
from sqlalchemy import delete, text

from index.database.database import Database
from index.jobs.jobs import Jobs
from index.tables import JobRow
from training.jobs.lease import Abandoned, Lease


@pytest.fixture
def job_id(database: Database) -> UUID:
    job = Jobs(database).submit("reembed", {"model_id": "sha256:a"}, actor="test")
    return Jobs(database).begin(job.id, "first").id


def test_a_job_that_another_took_stays_lost_when_the_database_goes_and_comes_back(
    database: Database, database_url: str, open_database: OpenDatabase, job_id: UUID
) -> None:
    lease = Lease(Jobs(open_database(database_url)), job_id, "first", threading.Event())
    Jobs(database).begin(job_id, "second")

    lease.log("still here")
    rename(database, "job", "job_away")
    lease.log("the database is away")
    rename(database, "job_away", "job")

    assert lease.is_to_stop
    with pytest.raises(Abandoned):
        lease.check()


def test_a_short_loss_of_the_database_costs_nobody_the_job(database: Database, job_id: UUID) -> None:
    lease = Lease(Jobs(database), job_id, "first", threading.Event())

    rename(database, "job", "job_away")
    lease.log("the database is away")
    rename(database, "job_away", "job")
    lease.log("and back")

    assert not lease.is_to_stop
    assert Jobs(database).find(job_id).log[-1].endswith("and back")


def test_a_job_that_the_database_does_not_know_any_more_is_left(database: Database, job_id: UUID) -> None:
    lease = Lease(Jobs(database), job_id, "first", threading.Event())
    with database.write() as db:
        db.execute(delete(JobRow))

    lease.log("still here")

    with pytest.raises(Abandoned):
        lease.check()


def rename(database: Database, old: str, new: str) -> None:
    with database.write() as db:
        db.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
