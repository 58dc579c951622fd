"""Make templates of pictures in bulk; failures are listed and counted (FTA), never dropped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding.align import ALIGNED_SIZE, align
from embedding.embedder import Embedder
from embedding.errors import EmbeddingError, MultipleFaces
from embedding.image import ImageLimits, Pixels, decode
from embedding.quality import Purpose
from training.data.pictures import Pictures

BATCH = 64

Vector = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with the number of pictures done and the total."""


@dataclass(frozen=True)
class AcquireFailure:
    """A picture that gave no template.

    Attributes:
        name: Name of the picture.
        code: Code of the error; `missing` if there is no such picture.
        detail: The error in words.
    """

    name: str
    code: str
    detail: str


@dataclass(frozen=True)
class Acquired:
    """The templates of those pictures that gave one.

    Attributes:
        names: (n) of those pictures.
        vectors: (n, dim) unit vectors.
        failures: The other pictures.
        several_faces: Pictures whose central face was taken among several of similar size.
    """

    names: list[str]
    vectors: Vector
    failures: list[AcquireFailure]
    several_faces: int


@dataclass(frozen=True)
class _Seen:
    """One picture's result: a vector, or why there is none."""

    name: str
    vector: Vector | None = None
    failure: AcquireFailure | None = None
    several_faces: bool = False


def acquire(
    embedder: Embedder,
    pictures: Pictures,
    names: Sequence[str],
    *,
    aligned: bool = False,
    progress: Progress | None = None,
) -> Acquired:
    """The template of each picture.

    Of several faces of similar size, the one nearest the centre is used (the rule of LFW); at the door such a
    picture would be refused, so their number is reported.

    Args:
        embedder: Makes the templates.
        pictures: The pictures.
        names: Names of those to use; unknown names are failures.
        aligned: The pictures are aligned crops already: skip detection and quality.
        progress: Called after every batch.
    """
    seen: list[_Seen] = []
    for start in range(0, len(names), BATCH):
        contents, missing = _read(pictures, names[start : start + BATCH])
        embed = _embed_crops if aligned else _embed_photos
        seen += missing + embed(embedder, contents)
        if progress:
            progress(len(seen), len(names))
    vectors = [each.vector for each in seen if each.vector is not None]
    return Acquired(
        names=[each.name for each in seen if each.vector is not None],
        vectors=np.stack(vectors) if vectors else np.empty((0, embedder.dim), np.float32),
        failures=[each.failure for each in seen if each.failure],
        several_faces=sum(each.several_faces for each in seen),
    )


def _read(pictures: Pictures, names: Sequence[str]) -> tuple[dict[str, bytes], list[_Seen]]:
    contents, missing = {}, []
    for name in names:
        try:
            contents[name] = pictures.read(name)
        except (KeyError, FileNotFoundError):
            detail = f"There is no such picture in {pictures.path}."
            missing.append(_Seen(name, failure=AcquireFailure(name, "missing", detail)))
        except OSError as error:
            missing.append(_Seen(name, failure=AcquireFailure(name, "unreadable", str(error))))
    return contents, missing


def _build_failure(name: str, error: EmbeddingError) -> _Seen:
    return _Seen(name, failure=AcquireFailure(name, error.code, str(error)))


def _embed_photos(embedder: Embedder, contents: dict[str, bytes]) -> list[_Seen]:
    """Through detection, quality and alignment, as at verification."""
    seen = []
    results = embedder.embed_many(list(contents.values()), Purpose.VERIFY)
    for (name, content), result in zip(contents.items(), results, strict=True):
        if isinstance(result, MultipleFaces):
            seen.append(
                _Seen(name, embedder.embed_crops(_central_crop(embedder, content)[None])[0], None, True)
            )
        elif isinstance(result, EmbeddingError):
            seen.append(_build_failure(name, result))
        else:
            seen.append(_Seen(name, result.template.vector))
    return seen


def _central_crop(embedder: Embedder, content: bytes) -> Pixels:
    """The aligned face nearest the centre of a picture with several."""
    image = decode(content, ImageLimits())
    centre = np.array([image.shape[1], image.shape[0]]) / 2
    faces = embedder.inspect(content, Purpose.VERIFY).faces
    nearest = min(faces, key=lambda face: float(np.linalg.norm(face.box[:2] + face.box[2:] / 2 - centre)))
    return align(image, nearest.landmarks)


def _embed_crops(embedder: Embedder, contents: dict[str, bytes]) -> list[_Seen]:
    """Straight into the network."""
    crops, failed = {}, []
    for name, content in contents.items():
        try:
            crop = decode(content, ImageLimits())
        except EmbeddingError as error:
            failed.append(_build_failure(name, error))
            continue
        if crop.shape == (ALIGNED_SIZE, ALIGNED_SIZE, 3):
            crops[name] = crop
        else:
            size = f"{crop.shape[1]}×{crop.shape[0]}"
            detail = f"An aligned crop has {ALIGNED_SIZE}×{ALIGNED_SIZE} pixels, this has {size}."
            failed.append(_Seen(name, failure=AcquireFailure(name, "not_aligned", detail)))
    if not crops:
        return failed
    vectors = embedder.embed_crops(np.stack(list(crops.values())))
    return failed + [_Seen(name, vector) for name, vector in zip(crops, vectors, strict=True)]
