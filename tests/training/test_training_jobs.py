"""Jobs as durable workflows: real workers, a real engine on both databases, a training of seconds."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch
from fixtures_database import OpenDatabase
from full_disk import files_of_at_most
from made_faces import crop_over_portrait, mosaic
from made_training import TINY_NETWORK, people, write_folders

import training.jobs.workflow
from embedding.bundle import Bundle
from index.crops import Crops, NewCrop, keep_crop
from index.database.database import Database
from index.jobs.jobs import Job
from index.jobs.places import RECIPE_PLACES
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects
from training.data.faces import Split, read_faces
from training.data.groups import read_groups, write_groups
from training.data.sources import Gathered, gather_again, gather_faces, hold_out
from training.embedder.loop import train
from training.embedder.recipe import Recipe
from training.embedder.tables import read_table
from training.embedder.weights import load_network
from training.engine.run import load_checkpoint
from training.errors import (
    CheckpointNotSaved,
    FacesChanged,
    HeldOutTooFew,
    LabelsDisagree,
    PicturesInvalid,
)
from training.jobs.remembered import MayPass
from training.jobs.worker import Worker, is_dead
from training.jobs.workflow import build_failure
from training.jobs.workshop import Workshop

pytestmark = pytest.mark.not_quick("every job opens an engine and a worker")

PATIENCE_SECONDS = 300.0
FMRS = (0.01, 0.05)

RECIPE: dict[str, Any] = {
    "losses": [{"name": "contrastive"}],
    "network": TINY_NETWORK,
    "optimiser": {"samples": 80, "batch": 8, "warm_up_steps": 2},
    "data": {"held_out": 0.5, "loaders": 0, "sampling": "by_identity"},
    "machine": {"compile": False, "log_steps": 1},
    "mining": {"every_epochs": 1.0},
}

PEOPLE = 48

LEARNS: dict[str, Any] = RECIPE | {
    "optimiser": {"samples": 320, "batch": 16, "warm_up_steps": 2, "learning_rate": 0.01, "average": 0.5},
    "augmentation": dict.fromkeys(("colour", "grey", "blur", "rescale", "jpeg", "noise", "cut_out"), 0.0),
}
"""Enough to do better than a fresh network does on `red_faces`."""


def recipe(**parts: dict[str, Any]) -> dict[str, Any]:
    """The tiny recipe with some of its numbers changed."""
    return RECIPE | {name: {**RECIPE.get(name, {}), **part} for name, part in parts.items()}


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made people with four pictures each: enough to calibrate and to test at one in a hundred."""
    return write_folders(
        tmp_path_factory.mktemp("faces") / "faces", people(PEOPLE, 4, crop=crop_over_portrait)
    )


@pytest.fixture(scope="module")
def red_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many, whose red is nothing but noise: it confuses a fresh network and not a trained one."""
    random, made = np.random.default_rng(0), {}
    for number in range(PEOPLE):
        colours = mosaic(random)
        noise = [4 * mosaic(random)[..., :1] for _ in range(4)]
        made[f"person {number:02d}"] = [
            crop_over_portrait(np.concatenate([red, colours[..., 1:]], axis=2)) for red in noise
        ]
    return write_folders(tmp_path_factory.mktemp("red") / "faces", made)


@pytest.fixture
def open_shop(open_database: OpenDatabase, shipped_bundle: Path, tmp_path: Path) -> Callable[[str], Workshop]:
    """A workshop on a database."""

    def open_one(url: str) -> Workshop:
        return Workshop(open_database(url), tmp_path / "data", shipped_bundle, None, FMRS)

    return open_one


@pytest.fixture
def shop(open_shop: Callable[[str], Workshop], sqlite_url: str) -> Workshop:
    """A workshop on SQLite."""
    return open_shop(sqlite_url)


def submitted(shop: Workshop, faces: Path, wanted: dict[str, Any] | str = RECIPE, **params: Any) -> Job:
    return shop.jobs.submit("retrain", {"recipe": wanted, "data": [str(faces)], **params}, actor="test")


def done_by(shop: Workshop, job: Job, until: Callable[[Job], bool] = lambda job: job.has_ended) -> Job:
    """The job after a worker of this process has worked until something is so."""
    with Worker(shop, look_seconds=0.05) as worker:
        return watched(shop, job, until, worker.look)


def watched(
    shop: Workshop, job: Job, until: Callable[[Job], bool], meanwhile: Callable[[], None] = lambda: None
) -> Job:
    end = time.monotonic() + PATIENCE_SECONDS
    while not until(found := shop.jobs.find(job.id)):
        assert time.monotonic() < end, found
        meanwhile()
        time.sleep(0.05)
    return found


WORKER = """
import sys, threading
from pathlib import Path
from index.database.database import Database
from training.jobs.worker import Worker
from training.jobs.workshop import Workshop
shop = Workshop(Database(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), None, (0.01, 0.05))
with Worker(shop, look_seconds=0.05) as worker:
    worker.work(threading.Event())
"""


@contextmanager
def worker_process(shop: Workshop) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, which is killed at the end if it still lives."""
    url = shop.database.engine.url.render_as_string(hide_password=False)
    arguments = [sys.executable, "-c", WORKER, url, str(shop.data_dir), str(shop.bundle)]
    process = subprocess.Popen(arguments)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_retraining_ends_in_a_candidate_with_its_report(
    open_shop: Callable[[str], Workshop], database_url: str, red_faces: Path
) -> None:
    shop = open_shop(database_url)

    job = done_by(shop, submitted(shop, red_faces, LEARNS, name="tiny"))

    assert (job.state, job.error, job.progress, job.step) == ("done", None, 1.0, "register")
    assert job.result is not None
    model = shop.models.find(job.result["model_id"])
    incumbent = shop.models.active()
    assert incumbent is not None
    assert (model.name, model.state, model.location) == ("tiny", "candidate", job.result["bundle"])
    assert model.gate is not None
    assert (model.gate["incumbent_id"], model.gate["candidate_id"]) == (incumbent.id, model.id)
    assert model.gate["attack"]["people"] == min(24, PEOPLE // 4)
    assert model.gate["attack"]["incumbent"].keys() == {"impersonated", "dodged"}
    assert any("attacking both models" in line for line in job.log)
    bundle = Bundle.load(Path(job.result["bundle"]))
    assert (bundle.model_id, bundle.calibration.id) == (model.id, model.calibration_id)
    assert {target.fmr for target in bundle.calibration.targets} == set(FMRS)
    report = Path(job.result["report"]).read_text(encoding="utf-8")
    assert report.startswith("<!doctype html>")
    assert bundle.calibration.id in report
    assert "no calibration yet" not in report
    assert "Taken for somebody else" in report
    assert Path(job.result["review"]).is_file()
    assert any("candidate" in line for line in job.log)


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_candidate_is_compared_within_groups_of_the_people_held_out_to_test(
    shop: Workshop, faces: Path, tmp_path: Path
) -> None:
    groups = {f"person {number:02d}": ("left", "right")[number % 2] for number in range(PEOPLE)}
    write_groups(tmp_path / "groups.csv", groups)
    quick = recipe(optimiser={"samples": 16}, mining={"every_epochs": 0.0})

    job = done_by(shop, submitted(shop, faces, quick, groups=str(tmp_path / "groups.csv")))

    assert (job.state, job.error) == ("done", None)
    assert job.result is not None
    compared = {one["group"]: one for one in job.result["gate"]["groups"]}
    held_out = Split.read(shop.folder(job.id) / "run" / "split.json").test
    expected = Counter(groups[person] for person in held_out)
    assert {name: group["identities"] for name, group in compared.items()} == expected
    assert read_groups(shop.folder(job.id) / "groups.csv").keys() == set(held_out)
    assert "<h2>Groups</h2>" in Path(job.result["report"]).read_text(encoding="utf-8")
    assert any("of the people held out to test" in line for line in job.log)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("identity,age\nperson 00,30\n", "its first line has 2 columns and not the two identity,group"),
        ("identity,group\nperson 00,a\npersn 01,b\n", "1 of its 2 identities are not in the data"),
    ],
)
def test_groups_that_cannot_be_used_end_a_job_before_it_trains(
    shop: Workshop, faces: Path, tmp_path: Path, content: str, complaint: str
) -> None:
    (tmp_path / "groups.csv").write_text(content)

    job = done_by(shop, submitted(shop, faces, groups=str(tmp_path / "groups.csv")))

    assert job.error is not None
    assert (job.error["step"], job.error["code"]) == ("gather", "GroupsInvalid")
    assert complaint in job.error["detail"]


@pytest.mark.parametrize("kind", ["retrain", "evaluate"])
def test_a_job_of_the_api_reads_nothing_that_a_link_in_its_folders_leads_to(
    shop: Workshop, faces: Path, kind: str
) -> None:
    shop.data_dir.mkdir(exist_ok=True)
    (shop.data_dir / "faces").mkdir()
    place = str(shop.data_dir / "faces")
    params = {"recipe": RECIPE, "data": [place]} if kind == "retrain" else {"data": place, "aligned": True}
    job = shop.jobs.submit(kind, params, actor="test", folders=[shop.data_dir])
    (shop.data_dir / "faces").rmdir()
    (shop.data_dir / "faces").symlink_to(faces)

    ended = done_by(shop, job)

    assert ended.error is not None
    assert (ended.state, ended.error["code"]) == ("failed", "validation_failed")
    assert "is not in a folder that jobs may read" in ended.error["detail"]


@pytest.mark.parametrize(
    "recipe_file",
    ["CANARY = 1\n", "[network]\nkind = 'CANARY'\n", 'start_from = "/CANARY/best.pt"\n', "CANARY\n"],
)
def test_a_job_of_the_api_tells_nothing_of_a_recipe_that_it_only_names(
    shop: Workshop, faces: Path, recipe_file: str
) -> None:
    shop.data_dir.mkdir(exist_ok=True)
    (shop.data_dir / "own.toml").write_text(
        '[optimiser]\nsamples = 1\n[[losses]]\nname = "sub_centre"\n' + recipe_file
    )
    params = {"recipe": str(shop.data_dir / "own.toml"), "data": [str(faces)]}
    job = shop.jobs.submit("retrain", params, actor="test", folders=[shop.data_dir, faces])

    ended = done_by(Workshop(shop.database, shop.data_dir, shop.bundle, None, FMRS, (faces,)), job)

    assert ended.state == "failed"
    assert "CANARY" not in str([ended.error, ended.log])


def test_a_stored_error_is_no_longer_than_a_sentence_or_two(shop: Workshop) -> None:
    job = submitted(shop, shop.data_dir / ("far " * 100), LEARNS)

    ended = done_by(shop, job)

    assert ended.error is not None
    assert len(ended.error["detail"]) == 300


def test_every_text_of_a_recipe_is_a_place_that_is_checked_or_is_known_to_be_none() -> None:
    names_only = {
        "data.sampling",
        "teacher.mode",
        "optimiser.method",
        "network.kind",
        "network.blocks",
        "network.head",
    }

    texts = set(texts_of(Recipe, ""))

    assert texts - names_only - set(RECIPE_PLACES) == set()
    assert set(RECIPE_PLACES) <= texts


def texts_of(kind: Any, place: str) -> Iterator[str]:
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint):
            yield from texts_of(hint, f"{place}{name}.")
        elif isinstance(hint, type) and issubclass(hint, str):
            yield place + name


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_training_that_finds_nothing_better_leaves_the_model_in_use_alone(
    shop: Workshop, faces: Path
) -> None:
    before = shop.models.begin_with(Bundle.load(shop.bundle))[1]
    useless = recipe(optimiser={"samples": 16, "learning_rate": 1e-30}) | {
        "freeze_norms": True,
        "network": {"kind": "dense", "widths": [64, 128, 256], "depths": [2, 3, 2]},
        "start_from": "training/checkpoints/invigil-2-embedder.pt",
    }

    job = done_by(shop, submitted(shop, faces, useless))

    assert (job.state, job.error) == ("done", None)
    assert job.result is not None
    assert job.result["nothing_better"]
    assert Path(job.result["report"]).is_file()
    assert shop.models.all() == [before]


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_start_that_is_whitened_is_compared_even_where_training_adds_nothing(
    shop: Workshop, faces: Path
) -> None:
    shop.models.begin_with(Bundle.load(shop.bundle))
    whitened = recipe(optimiser={"samples": 16, "learning_rate": 1e-30}) | {
        "freeze_norms": True,
        "whiten_start": 0.3,
        "network": {"kind": "dense", "widths": [64, 128, 256], "depths": [2, 3, 2]},
        "start_from": "training/checkpoints/invigil-2-embedder.pt",
        "teacher": {"mode": "incumbent"},
        "losses": [{"name": "distil_cosine"}],
    }

    job = done_by(shop, submitted(shop, faces, whitened))

    assert (job.state, job.error) == ("done", None)
    said = "\n".join(job.log)
    assert f"the start is whitened by {PEOPLE // 2 * 4} faces" in said
    assert "the training found nothing better" not in said
    former = load_network(Path("training/checkpoints/invigil-2-embedder.pt"))
    made = load_network(shop.folder(job.id) / "start" / "whitened.pt")
    crops = torch.from_numpy(read_faces(faces).crops(np.arange(4)))
    assert not torch.allclose(former.eval()(crops), made.eval()(crops), atol=1e-3)


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_training_whose_worker_is_killed_goes_on_to_the_same_end(shop: Workshop, faces: Path) -> None:
    long = recipe(
        optimiser={"samples": 960},
        machine={"checkpoint_minutes": 0.0, "judge_minutes": 9.0},
        mining={"every_epochs": 0.0},
    )
    job = submitted(shop, faces, long)
    run = shop.folder(job.id) / "run"

    with worker_process(shop) as first:
        begun = watched(shop, job, lambda job: job.metrics.get("step", 0) >= 20)
        first.send_signal(signal.SIGKILL)
        first.wait()
    killed_at = load_checkpoint(run / "last.pt")["step"]
    with Worker(shop, look_seconds=0.05) as second:
        after = watched(shop, job, lambda job: job.step not in ("gather", "mine", "train"), second.look)
        shop.jobs.request_cancel(job.id, actor="test")
        watched(shop, job, lambda job: job.has_ended, second.look)

    assert 20 <= killed_at < 120
    assert after.worker not in (begun.worker, None)
    assert [line.split(" ", 1)[1] for line in after.log].count("going on from the last checkpoint") == 1
    assert sum("held out to calibrate" in line for line in after.log) == 1  # gathered once
    alone = uninterrupted(faces, long, run, shop.data_dir / "alone")
    resumed = load_checkpoint(run / "last.pt")
    assert resumed["step"] == alone["step"] == 120
    for name, weights in alone["weights"].items():
        torch.testing.assert_close(resumed["weights"][name], weights, rtol=0, atol=0)


def uninterrupted(faces: Path, table: dict[str, Any], split_of: Path, folder: Path) -> dict[str, Any]:
    """The last checkpoint of the same training in one go."""
    folder.mkdir(parents=True)
    shutil.copy(split_of / "split.json", folder)
    run = train(read_table(table, Recipe, "tiny"), faces, folder)
    return load_checkpoint(run.last)


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_worker_that_is_stopped_leaves_its_job_to_the_next(shop: Workshop, faces: Path) -> None:
    job = submitted(shop, faces, recipe(optimiser={"samples": 8000}, mining={"every_epochs": 0.0}))

    left = done_by(shop, job, lambda job: job.metrics.get("step", 0) > 3)
    left = shop.jobs.find(left.id)
    step = load_checkpoint(shop.folder(job.id) / "run" / "last.pt")["step"]

    assert (left.state, left.worker) == ("running", None)
    assert step > 3
    taken = done_by(shop, job, lambda job: job.metrics.get("step", 0) > step)
    assert taken.state == "running"


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_training_is_cancelled_between_two_steps_and_keeps_its_checkpoint(
    shop: Workshop, faces: Path
) -> None:
    job = submitted(shop, faces, recipe(optimiser={"samples": 8000}, mining={"every_epochs": 0.0}))

    with Worker(shop, look_seconds=0.05) as worker:
        watched(shop, job, lambda job: job.metrics.get("step", 0) > 3, worker.look)
        shop.jobs.request_cancel(job.id, actor="test")
        shop.jobs.request_cancel(job.id, actor="test")
        ended = watched(shop, job, lambda job: job.has_ended, worker.look)

    assert (ended.state, ended.step, ended.error) == ("cancelled", "train", None)
    assert load_checkpoint(shop.folder(job.id) / "run" / "last.pt")["step"] > 3


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_disk_that_stays_full_ends_a_job_and_leaves_the_former_checkpoint_whole(
    shop: Workshop, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for first, here in no time; a checkpoint is larger than anything else that is written."""
    monkeypatch.setattr(training.jobs.workflow, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(training.jobs.workflow, "BACK_OFF", 1.0)
    large = recipe(
        network={"widths": [48, 96, 192]},
        optimiser={"samples": 8000},
        machine={"checkpoint_minutes": 0.0, "judge_minutes": 9.0},
        mining={"every_epochs": 0.0},
    )
    job = submitted(shop, faces, large)
    run = shop.folder(job.id) / "run"

    with Worker(shop, look_seconds=0.05) as worker:
        watched(shop, job, lambda job: job.metrics.get("step", 0) >= 2, worker.look)
        with files_of_at_most(6_000_000):
            ended = watched(shop, job, lambda job: job.has_ended, worker.look)

    assert (ended.state, ended.step) == ("failed", "train")
    assert ended.error == {
        "step": "train",
        "code": "CheckpointNotSaved",
        "detail": f"{run}/last.pt could not be saved (File too large); the former checkpoint is whole.",
    }
    told = [line.split(" ", 1)[1] for line in ended.log]
    assert told.count("this may pass: it is tried again in a while") == training.jobs.workflow.ATTEMPTS
    assert load_checkpoint(run / "last.pt")["step"] >= 2
    assert not list(run.glob(".*"))


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_job_that_fails_says_so_in_one_line_and_keeps_its_log(shop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("no pictures here")

    job = done_by(shop, submitted(shop, tmp_path / "notes"))

    assert job.state == "failed"
    assert job.error is not None
    assert (job.error["step"], job.error["code"]) == ("gather", "PicturesInvalid")
    assert job.error["detail"].startswith(f"{tmp_path}/notes: it holds no picture")
    assert "\n" not in job.error["detail"]
    assert any(job.error["detail"] in line for line in job.log)


@pytest.mark.parametrize(
    ("wanted", "detail"),
    [
        (recipe(optimiser={"learning_rat": 0.1}), "did you mean 'learning_rate'?"),
        (RECIPE | {"losses": [{"name": "contrastiv"}]}, "did you mean 'contrastive'?"),
        ("retrian", "did you mean 'retrain'?"),
        (RECIPE | {"start_from": "absent.pt"}, "absent.pt: there is no such checkpoint"),
    ],
)
def test_a_recipe_that_is_wrong_fails_before_anything_is_trained(
    shop: Workshop, faces: Path, wanted: dict[str, Any] | str, detail: str
) -> None:
    job = done_by(shop, submitted(shop, faces, wanted))

    assert (job.state, job.step) == ("failed", "gather")
    assert job.error is not None
    assert detail in job.error["detail"]


@pytest.mark.slow("trains and evaluates in a real worker")
def test_the_next_job_is_done_after_one_that_failed(shop: Workshop, faces: Path, tmp_path: Path) -> None:
    first = submitted(shop, tmp_path / "absent")
    second = submitted(shop, tmp_path / "absent too")

    done_by(shop, second)

    assert shop.jobs.find(first.id).state == shop.jobs.find(second.id).state == "failed"


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_model_is_evaluated_by_a_job(shop: Workshop, faces: Path) -> None:
    params = {"data": str(faces), "aligned": True}

    job = done_by(shop, shop.jobs.submit("evaluate", params, actor="test"))

    assert job.state == "done", job.error
    assert job.result is not None
    assert job.result["evaluation"]["identities"] == PEOPLE
    assert Path(job.result["report"]).is_file()


@pytest.mark.slow("evaluates in a real worker")
def test_what_a_job_leaves_is_read_by_its_owner_alone(shop: Workshop, faces: Path) -> None:
    job = done_by(shop, shop.jobs.submit("evaluate", {"data": str(faces), "aligned": True}, actor="test"))

    left = [shop.data_dir / "jobs", *(shop.data_dir / "jobs").rglob("*")]
    assert job.state == "done"
    assert len(left) > 2
    assert {place.name: oct(place.stat().st_mode & 0o077) for place in left} == {
        place.name: "0o0" for place in left
    }


@pytest.mark.slow("trains and evaluates in a real worker")
def test_re_embedding_is_a_job_too(shop: Workshop) -> None:
    active = shop.embedder().model_id

    job = done_by(shop, shop.jobs.submit("reembed", {"model_id": active}, actor="test"))

    assert job.state == "done", job.error
    assert job.result == {"model_id": active, "made": 0, "left": 0, "without_template": []}


@pytest.mark.slow("starts workers again and again")
def test_a_job_whose_workers_always_die_is_given_up(shop: Workshop, faces: Path) -> None:
    job = submitted(shop, faces)
    with Worker(shop, look_seconds=0.05) as worker:
        shop.jobs.begin(job.id, "gone:1:x")
        shop.jobs.release(job.id, "gone:1:x")
        known = type("Known", (), {"status": "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
        worker._fail(shop.jobs.find(job.id), known)  # type: ignore[arg-type]

    ended = shop.jobs.find(job.id)
    assert ended.error is not None
    assert (ended.state, ended.error["code"]) == ("failed", "worker_died")


def test_a_worker_of_this_machine_that_ended_is_known_to_be_dead() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = os.uname().nodename

    assert is_dead(f"{host}:{ended.pid}:abc")
    assert not is_dead(f"{host}:{os.getppid()}:abc")
    assert not is_dead(f"elsewhere:{ended.pid}:abc")


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (CheckpointNotSaved("last.pt", "No space left on device"), True),
        (OSError(errno.ENOENT, "No such file"), False),
        (PicturesInvalid("/faces", "it holds no picture"), False),
        (HeldOutTooFew("test", 3, 0.01, 0.1), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: Exception, passes: bool) -> None:
    assert isinstance(build_failure("train", error), MayPass) is passes


def test_people_too_few_to_calibrate_end_a_job_before_it_trains(
    open_shop: Callable[[str], Workshop], sqlite_url: str, tmp_path: Path
) -> None:
    shop = open_shop(sqlite_url)
    few = write_folders(tmp_path / "few", people(12, 4))

    job = done_by(shop, submitted(shop, few))

    assert job.error is not None
    assert (job.step, job.error["code"]) == ("gather", "HeldOutTooFew")
    assert "support false match rates from 0.0625; 0.01 is needed" in job.error["detail"]


def test_one_identity_alone_is_refused(shop: Workshop, tmp_path: Path) -> None:
    one = write_folders(tmp_path / "one", people(1, 4))

    job = done_by(shop, submitted(shop, one))

    assert job.error is not None
    assert (job.error["step"], job.error["code"]) == ("gather", "SplitInvalid")


def test_identities_with_one_picture_each_are_refused(shop: Workshop, tmp_path: Path) -> None:
    single = write_folders(tmp_path / "single", people(20, 1))

    job = done_by(shop, submitted(shop, single))

    assert job.error is not None
    assert "0 identities have two pictures or more" in job.error["detail"]


def test_two_sources_are_joined_and_a_picture_in_both_is_used_once(tmp_path: Path) -> None:
    made = people(6, 3)
    names = list(made)
    first = write_folders(tmp_path / "first", {name: made[name] for name in names[:4]})
    second = write_folders(tmp_path / "second", {name: made[name] for name in names[3:]})

    faces, record = gather_faces([str(first), str(second)], None)

    assert (len(faces), record.identities, record.repeated) == (18, 6, 3)
    assert len(set(faces.names)) == 18


def test_labels_that_disagree_between_two_sources_are_refused(tmp_path: Path) -> None:
    made = people(3, 2)
    first = write_folders(tmp_path / "first", made)
    second = write_folders(tmp_path / "second", {"somebody else": made["person 00"]})

    with pytest.raises(LabelsDisagree, match="2 pictures have another identity") as refused:
        gather_faces([str(first), str(second)], None)

    assert refused.value.pictures[0] == ("0-first/person 00/0.png", "1-second/somebody else/0.png")


def test_faces_that_changed_since_they_were_gathered_end_a_job(tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "faces", people(3, 2))
    _, record = gather_faces([str(folder)], None)
    record.write(tmp_path / "gathered.json")
    assert len(gather_again(Gathered.read(tmp_path / "gathered.json"), None)) == 6

    (folder / "person 00" / "0.png").unlink()

    with pytest.raises(FacesChanged, match="the folders hold other pictures"):
        gather_again(record, None)


def test_crops_of_enrolments_are_used_where_that_is_permitted_and_as_long(database: Database) -> None:
    made, cipher = people(2, 2), TemplateCipher(b"k" * 32)
    permitted, other = (
        Subjects(database).add(legal_basis=basis, actor="test").id
        for basis in ({"basis": "consent", "reference": "form 7", "training": True}, None)
    )
    with database.write() as db:
        for subject, pictures in zip((permitted, other), made.values(), strict=True):
            for picture in pictures:
                keep_crop(db, cipher, subject, NewCrop(picture, days=30))

    faces, record = gather_faces([], Crops(database, cipher))

    assert set(faces.identities) == {str(permitted)}
    assert sorted(faces.encoded) == sorted(made["person 00"])
    assert gather_again(record, Crops(database, cipher)).digest == record.digest
    Subjects(database).change(permitted, legal_basis=None, actor="test")
    with pytest.raises(FacesChanged, match="2 enrolled pictures may not be used any more"):
        gather_again(record, Crops(database, cipher))


def test_people_whom_the_start_has_seen_are_not_held_out(tmp_path: Path) -> None:
    former, new = people(12, 2), people(24, 2, seed=1)
    both = write_folders(tmp_path / "both", former | {f"new {name}": new[name] for name in new})
    seen = write_folders(tmp_path / "seen", former)
    table = recipe(optimiser={"samples": 8}, mining={"every_epochs": 0.0})
    run = train(read_table(table, Recipe, "tiny"), seen, tmp_path / "run")
    faces = read_faces(both)

    split = hold_out(faces, 0.25, 1, run.last)

    before = {name for name in split.held_out if not name.startswith("new ")}
    trained = set(former) - before
    assert len(before) == 6
    assert len(split.held_out) == 6 + 6
    assert not trained & split.held_out


def test_the_engine_keeps_its_tables_beside_those_of_the_service(database: Database) -> None:
    url = database.engine_url()

    assert url.endswith("-jobs.db") if database.is_sqlite else url.startswith("postgresql://")
    if database.is_sqlite:
        assert Path(url.removeprefix("sqlite:///")).stat().st_mode & 0o077 == 0


@pytest.mark.slow("starts workers again and again")
def test_two_workers_share_the_jobs_of_one_postgresql(
    open_shop: Callable[[str], Workshop], postgresql_url: str, tmp_path: Path
) -> None:
    shop = open_shop(postgresql_url)
    made = [
        shop.jobs.submit("evaluate", {"data": str(tmp_path / f"absent {number}")}, actor="test")
        for number in range(6)
    ]

    with worker_process(shop), worker_process(shop):
        ended = [watched(shop, job, lambda job: job.has_ended) for job in made]

    assert {job.state for job in ended} == {"failed"}
    assert all(job.log and len(job.log) == 1 for job in ended)


@pytest.mark.slow("trains and evaluates in a real worker")
def test_a_lost_database_is_waited_for(shop: Workshop, faces: Path) -> None:
    stop = threading.Event()
    job = submitted(shop, faces / "absent")
    with Worker(shop, look_seconds=0.05) as worker:
        thread = threading.Thread(target=worker.work, args=(stop,))
        with shop.database.write():
            thread.start()
            time.sleep(1.0)
        ended = watched(shop, job, lambda job: job.has_ended)
        stop.set()
        thread.join()

    assert ended.state == "failed"
