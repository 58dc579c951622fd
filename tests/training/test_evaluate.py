"""Evaluation through its front door: pictures and pairs in, figures and one page out."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from made_faces import coarse_bundle, made_faces, pixels_of, write_folder, write_tar
from PIL import Image

from embedding.embedder import Embedder
from training.data.pairs import Pair, number_people, read_pairs
from training.data.pictures import Pictures, open_pictures
from training.errors import NoComparisons, PairsInvalid, PicturesInvalid
from training.evaluation.acquire import acquire
from training.evaluation.comparisons import compare_all
from training.evaluation.error_rates import equal_error_rate, error_rates, operating_point
from training.evaluation.evaluate import evaluate_all, evaluate_pairs
from training.evaluation.retrieval import measure_retrieval
from training.reports.evaluation import write_report

pytestmark = pytest.mark.not_quick("looks at hundreds of pictures")

PEOPLE, SAMPLES = 40, 3


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory, shipped_bundle: Path) -> Embedder:
    folder = tmp_path_factory.mktemp("bundles") / "coarse"
    return Embedder.open(coarse_bundle(folder, shipped_bundle / "detector.onnx").path, threads=1)


@pytest.fixture(scope="module")
def faces() -> dict[str, bytes]:
    return made_faces(PEOPLE, SAMPLES, spread=1.6)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, faces: dict[str, bytes]) -> Pictures:
    return open_pictures(write_folder(tmp_path_factory.mktemp("faces"), faces))


def made_pairs(faces: Mapping[str, bytes]) -> list[tuple[str, str, bool]]:
    """The first two samples of each person, and each person with the next."""
    people = sorted({name.split("/")[0] for name in faces})
    mated = [(f"{p}/0.png", f"{p}/1.png", True) for p in people]
    return mated + [(f"{p}/2.png", f"{q}/0.png", False) for p, q in pairwise(people)]


def write_csv(path: Path, pairs: list[tuple[str, str, bool]]) -> Path:
    rows = [f"{a},{b},{int(same)}" for a, b, same in pairs]
    path.write_text("\n".join(["path_a,path_b,same", *rows]) + "\n")
    return path


def all_distances(embedder: Embedder, faces: Mapping[str, bytes]) -> tuple[list[float], list[float]]:
    """Mated and non-mated distances by a double loop."""
    vectors = embedder.embed_crops(np.stack([pixels_of(content) for content in faces.values()]))
    people = [name.split("/")[0] for name in faces]
    mated: list[float] = []
    non_mated: list[float] = []
    for i, j in combinations(range(len(people)), 2):
        d = float(np.square(vectors[i] - vectors[j]).sum())
        (mated if people[i] == people[j] else non_mated).append(d)
    return mated, non_mated


def test_all_pairs_give_the_rates_of_a_double_loop(
    coarse: Embedder, pictures: Pictures, faces: Mapping[str, bytes]
) -> None:
    mated, non_mated = all_distances(coarse, faces)

    evaluation, _ = evaluate_all(coarse, pictures, aligned=True)

    assert (evaluation.mated, evaluation.non_mated) == (len(mated), len(non_mated))
    assert evaluation.identities == PEOPLE
    for at in evaluation.at_fmr[:3]:
        assert at.threshold is not None
        assert at.fnmr is not None
        fmr, fnmr = error_rates(mated, non_mated, at.threshold.value + 1e-6)
        assert fmr <= at.fmr + 1 / len(non_mated)
        assert at.fnmr.value == pytest.approx(fnmr, abs=1e-9)
        assert at.fnmr.interval is not None
        assert at.fnmr.interval[0] <= at.fnmr.value <= at.fnmr.interval[1]


def test_nobody_counts_with_more_pictures_than_the_limit(coarse: Embedder, tmp_path: Path) -> None:
    many = {f"many/{i:02}.png": content for i, content in enumerate(made_faces(1, 20, seed=5).values())}
    pictures = open_pictures(write_folder(tmp_path, made_faces(5, 3) | many))

    evaluation, evidence = evaluate_all(coarse, pictures, per_person=4, aligned=True)

    assert [name for name in evidence.names if name.startswith("many")] == [
        f"many/{i:02}.png" for i in (0, 5, 10, 15)
    ]
    assert (evaluation.pictures, evaluation.set_aside) == (5 * 3 + 4, 16)


def test_a_rate_that_the_comparisons_cannot_support_is_not_reported(
    coarse: Embedder, pictures: Pictures
) -> None:
    evaluation, _ = evaluate_all(coarse, pictures, aligned=True)

    assert evaluation.smallest_fmr == pytest.approx(3 / evaluation.non_mated)
    reported = {at.fmr: at.fnmr is not None for at in evaluation.at_fmr}
    assert reported == {1e-1: True, 1e-2: True, 1e-3: True, 1e-4: False, 1e-5: False}


def test_listed_pairs_are_judged_in_folds_with_an_interval_over_people(
    coarse: Embedder, pictures: Pictures, faces: Mapping[str, bytes], tmp_path: Path
) -> None:
    pairs = read_pairs(write_csv(tmp_path / "pairs.csv", made_pairs(faces)))

    evaluation, evidence = evaluate_pairs(coarse, pictures, pairs, aligned=True)

    assert (evaluation.mated, evaluation.non_mated) == (PEOPLE, PEOPLE - 1)
    assert evaluation.accuracy is not None
    assert evaluation.accuracy.folds == 10
    best = max(
        np.mean([*(evidence.comparisons.mated.d <= t), *(evidence.comparisons.close.d > t)])
        for t in evidence.curve.thresholds
    )
    assert 0.5 < evaluation.accuracy.mean <= best + 0.005  # folds differ in size
    assert evaluation.eer.interval is not None
    assert evaluation.retrieval is not None


def test_a_missing_picture_is_named_and_its_pair_is_a_wrong_answer(
    coarse: Embedder, faces: Mapping[str, bytes], tmp_path: Path
) -> None:
    whole = made_faces(PEOPLE, SAMPLES, spread=0.2)  # told apart without an error
    pairs = read_pairs(write_csv(tmp_path / "pairs.csv", made_pairs(whole)))
    del whole["p003/1.png"]
    whole["p005/0.png"] = b"\xff\xd8\xff\xe0 cut off"

    evaluation, _ = evaluate_pairs(
        coarse, open_pictures(write_folder(tmp_path / "faces", whole)), pairs, aligned=True
    )

    assert [(f.name, f.code) for f in evaluation.failures] == [
        ("p003/1.png", "missing"),
        ("p005/0.png", "decode_failed"),
    ]
    assert evaluation.fta == 2 / 119
    assert (evaluation.mated, evaluation.non_mated) == (PEOPLE - 2, PEOPLE - 1 - 1)
    assert evaluation.accuracy is not None
    assert evaluation.accuracy.mean == pytest.approx(1 - 3 / 79, abs=0.01)


def test_a_picture_that_is_no_aligned_crop_is_a_failure_to_acquire(
    coarse: Embedder, astronaut_jpeg: bytes, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path, made_faces(3, 2) | {"p000/photo.jpg": astronaut_jpeg})

    evaluation, _ = evaluate_all(coarse, open_pictures(folder), aligned=True)

    (failure,) = evaluation.failures
    assert (failure.name, failure.code) == ("p000/photo.jpg", "not_aligned")
    assert "112×112" in failure.detail


def test_nothing_to_compare_is_an_error_and_not_a_rate(coarse: Embedder, tmp_path: Path) -> None:
    one_person = open_pictures(write_folder(tmp_path / "one", made_faces(1, 3)))
    one_picture_each = open_pictures(write_folder(tmp_path / "each", made_faces(3, 1)))

    unusable = open_pictures(write_folder(tmp_path / "broken", {"a/1.png": b"?", "b/1.png": b"?"}))

    with pytest.raises(NoComparisons, match="no mated comparison: of 2 pictures 2 could not be used"):
        evaluate_all(coarse, unusable, aligned=True)
    with pytest.raises(NoComparisons, match="no mated comparison: of 4 pictures 4 could not be used"):
        evaluate_pairs(coarse, unusable, [Pair("c", "d", True, 0), Pair("e", "f", False, 1)])
    with pytest.raises(NoComparisons, match="no non-mated comparison"):
        evaluate_all(coarse, one_person, aligned=True)
    with pytest.raises(NoComparisons, match="no mated comparison"):
        evaluate_all(coarse, one_picture_each, aligned=True)


def test_of_several_faces_the_central_one_is_meant_and_counted(
    embedder: Embedder, astronaut_jpeg: bytes, two_faces_jpeg: bytes, black_jpeg: bytes, tmp_path: Path
) -> None:
    photos = {"a/1.jpg": astronaut_jpeg, "a/2.jpg": two_faces_jpeg, "a/3.jpg": black_jpeg}
    pictures = open_pictures(write_folder(tmp_path, photos))

    acquired = acquire(embedder, pictures, pictures.labelled)

    assert acquired.names == ["a/1.jpg", "a/2.jpg"]
    assert acquired.several_faces == 1
    assert [(f.name, f.code) for f in acquired.failures] == [("a/3.jpg", "face_not_found")]
    assert float(np.square(acquired.vectors[0] - acquired.vectors[1]).sum()) < 0.6


def test_the_report_is_one_file_with_the_figures_and_the_hardest_pairs(
    coarse: Embedder, pictures: Pictures, tmp_path: Path
) -> None:
    evaluation, evidence = evaluate_all(coarse, pictures, aligned=True)

    write_report(tmp_path / "report.html", evaluation, evidence, pictures)

    page = (tmp_path / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert f"{100 * evaluation.eer.value:.2f} %" in page
    assert page.count("<svg") == 4
    assert page.count("data:image/jpeg;base64,") == 4 * 12
    assert evidence.names[evidence.comparisons.close.a[0]] in page


def test_a_name_from_a_picture_cannot_become_markup(coarse: Embedder, tmp_path: Path) -> None:
    faces = made_faces(3, 2) | {"p000/<b>x.png": made_faces(1, 1, seed=8)["p000/0.png"], "p001/<i>.png": b"?"}
    pictures = open_pictures(write_folder(tmp_path / "faces", faces))

    write_report(tmp_path / "report.html", *evaluate_all(coarse, pictures, aligned=True), pictures)

    page = (tmp_path / "report.html").read_text()
    assert "<b>x" not in page
    assert "<i>" not in page


def test_the_figures_become_one_json_document(coarse: Embedder, pictures: Pictures) -> None:
    evaluation, _ = evaluate_all(coarse, pictures, aligned=True)

    document = json.loads(json.dumps(evaluation.as_json(), allow_nan=False))

    assert document["fta"] == 0
    assert document["at_fmr"][4] == {"fmr": 1e-5, "fnmr": None, "threshold": None}


def test_evaluation_needs_nothing_of_the_training_extra() -> None:
    script = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'sklearn', 'matplotlib', 'pytorch_metric_learning'):\n"
        "    sys.modules[name] = None\n"
        "import training.evaluation.evaluate, training.evaluation.calibrate, training.reports.evaluation\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_a_folder_an_archive_and_a_described_set_give_the_same_pictures(
    faces: dict[str, bytes], pictures: Pictures, tmp_path: Path
) -> None:
    archive = open_pictures(write_tar(tmp_path / "faces.tar", faces))
    described = tmp_path / "described"
    described.mkdir()
    write_tar(described / "one.tar", {name.replace("/", "_"): content for name, content in faces.items()})
    rows = [f"one.tar,{name.replace('/', '_')},{name.split('/')[0]}" for name in faces]
    (described / "faces.csv").write_text("\n".join(["shard,file,identity", *rows, "one.tar,gone.png,"]))
    by_description = open_pictures(described)

    assert archive.identity == pictures.identity
    assert all(archive.read(name) == pictures.read(name) == faces[name] for name in faces)
    assert by_description.identity["one.tar/p003_1.png"] == "p003"
    assert by_description.read("one.tar/p003_1.png") == faces["p003/1.png"]
    assert "one.tar/gone.png" not in by_description.labelled
    with pytest.raises(FileNotFoundError):
        by_description.read("one.tar/gone.png")


def test_a_picture_is_found_without_its_leading_folders_and_suffix(tmp_path: Path) -> None:
    names = ["lfw/Ann_Lee/Ann_Lee_0001.jpg", "lfw/Bo/1.jpg", "lfw/Cy/1.jpg"]
    pictures = open_pictures(write_tar(tmp_path / "x.tar", dict.fromkeys(names, b"")))

    assert pictures.find("Ann_Lee/Ann_Lee_0001") == names[0]
    assert pictures.find("lfw/Bo/1.jpg") == names[1]
    assert pictures.find("Ann_Lee/Ann_Lee_0002") is None
    with pytest.raises(PicturesInvalid, match="means several pictures"):
        pictures.find("1.jpg")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent", None, "no such folder or archive"),
        ("text.tar", b"this is no archive", "not an uncompressed tar archive"),
        ("empty", {}, "holds no picture"),
        ("other", {"faces.csv": b"name,who\na,b\n"}, "lacks the columns"),
        (
            "shardless",
            {"faces.csv": b"shard,file,identity\nno.tar,a.jpg,b\n"},
            "row 2 names a shard that is not beside it",
        ),
    ],
)
def test_what_holds_no_pictures_is_refused(
    name: str, content: bytes | dict[str, bytes] | None, reason: str, tmp_path: Path
) -> None:
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif content is not None:
        (tmp_path / name).mkdir()
        write_folder(tmp_path / name, content)

    with pytest.raises(PicturesInvalid, match=reason):
        open_pictures(tmp_path / name)


def test_lfw_lists_are_read_with_their_own_folds(tmp_path: Path) -> None:
    fold = "Ann_Lee\t1\t12\nBo\t1\t2\nAnn_Lee\t3\tBo\t4\nBo\t1\tCy\t1\n"
    (tmp_path / "pairs.txt").write_text("2\t2\n" + fold + fold.replace("Bo", "Di"))

    pairs = read_pairs(tmp_path / "pairs.txt")

    assert pairs[0] == Pair("Ann_Lee/Ann_Lee_0001", "Ann_Lee/Ann_Lee_0012", same=True, fold=0)
    assert pairs[6] == Pair("Ann_Lee/Ann_Lee_0003", "Di/Di_0004", same=False, fold=1)
    assert [pair.fold for pair in pairs] == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is empty"),
        ("hello\n", "line 1: it starts neither"),
        ("1\nBo 1 2\n", "promises 2 pairs, it has 1"),
        ("1\nBo 1 2\nBo one Cy 2\n", "line 3: it is neither"),
        ("1\nBo 1 2\nCy 1 2\n", "it has mated pairs only"),
        ("path_a,path_b,same\na,b,0\n", "it has non-mated pairs only"),
        ("path_a,path_b\na,b\n", "line 1: the column same is missing"),
        ("path_a,path_b,same\na,b,1\na,c,maybe\n", "line 3: it is not path_a,path_b,same"),
        ("path_a,path_b,same\na,,1\n", "line 2: it is not path_a,path_b,same"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_naming_the_line(
    content: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "pairs").write_text(content)

    with pytest.raises(PairsInvalid, match=reason):
        read_pairs(tmp_path / "pairs")


def test_a_list_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"\xff\xd8\xff")

    for name in ("absent", "picture"):
        with pytest.raises(PairsInvalid, match="cannot be read"):
            read_pairs(tmp_path / name)


def test_mated_pairs_join_pictures_to_people() -> None:
    pairs = [
        Pair(*names, fold=0)
        for names in [("a", "b", True), ("c", "d", True), ("b", "c", True), ("a", "e", False)]
    ]

    assert number_people(pairs) == {"a": 0, "b": 0, "c": 0, "d": 0, "e": 1}


def test_the_development_pairs_of_lfw_are_told_apart(embedder: Embedder, shared_data: Path) -> None:
    pictures = open_pictures(shared_data / "eval" / "lfw_view1_test_deepfunneled.tar")
    pairs = read_pairs(shared_data / "eval" / "pairsDevTest.txt")
    some = [pair for pair in pairs if pair.fold == 4]

    evaluation, _ = evaluate_pairs(embedder, pictures, some)

    assert len(pairs) == 1000
    assert (evaluation.mated, evaluation.non_mated) == (50, 50)
    assert evaluation.fta == 0
    assert evaluation.auc > 0.98


def test_raw_pixels_of_the_orl_set_give_their_known_figures(shared_data: Path) -> None:
    """People 21 to 40 at 24×28 pixels, centred, as unit vectors: figures measured once with other code."""
    pictures = open_pictures(shared_data / "eval" / "orl.tar")
    names = [name for name in pictures.labelled if int(pictures.identity[name][1:]) > 20]
    images = [Image.open(io.BytesIO(pictures.read(name))).convert("L") for name in names]
    small = [image.resize((23, 28)).resize((24, 28)) for image in images]
    pixels = np.stack([np.asarray(image, np.float64).ravel() for image in small]) / 127.5 - 1
    centred = pixels - pixels.mean(axis=0)
    vectors = (centred / np.linalg.norm(centred, axis=1, keepdims=True)).astype(np.float32)
    identity = np.unique([pictures.identity[name] for name in names], return_inverse=True)[1]

    found = measure_retrieval(vectors, identity)
    curve = compare_all(vectors, identity).curve()

    assert (curve.mated, curve.non_mated) == (900, 19_000)
    assert 100 * found.precision_at_1 == pytest.approx(98.50, abs=0.01)
    assert 100 * found.r_precision == pytest.approx(70.94, abs=0.2)
    assert 100 * found.map_at_r == pytest.approx(68.30, abs=0.2)
    assert 100 * equal_error_rate(curve.fmr, curve.fnmr) == pytest.approx(10.78, abs=0.1)
    # The other code may have stopped a comparison short of the target: four mated ones are 0.45 %.
    assert 100 * (1 - operating_point(curve, 0.01).fnmr) == pytest.approx(62.56, abs=0.45)
    assert 100 * (1 - operating_point(curve, 0.001).fnmr) == pytest.approx(36.11, abs=0.45)
