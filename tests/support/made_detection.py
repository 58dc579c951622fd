"""Drawn photos of faces, and a data folder of them, for the tests of the detector's training."""

import csv
import io
import tarfile
from pathlib import Path

import cv2
import numpy as np

from training.detection.data import FACE_COLUMNS, NO_FACES, Photo
from training.detection.recipe import DetectorRecipe, Shape

RED, BLUE, WHITE, GREEN, YELLOW = (0, 0, 255), (255, 0, 0), (255, 255, 255), (0, 255, 0), (0, 255, 255)
COLOURS = (RED, BLUE, WHITE, GREEN, YELLOW)  # of right eye, left eye, nose, right and left mouth corner


def face_at(x: float, y: float, w: float, h: float) -> np.ndarray:
    """A face whose landmarks stand where they stand in most."""
    shares = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
    return np.array([x, y, w, h, *(v for a, b in shares for v in (x + a * w, y + b * h))], np.float32)


def drawn_photo(name: str, faces: list[np.ndarray], side: int = 200) -> Photo:
    """A grey photo on which each landmark is a dot of its own colour."""
    pixels = np.full((side, side, 3), 90, np.uint8)
    for face in faces:
        for (x, y), colour in zip(face[4:].reshape(5, 2), COLOURS, strict=True):
            cv2.circle(pixels, (round(float(x)), round(float(y))), 4, colour, -1)
    return Photo(name, "drawn", pixels, np.stack(faces) if faces else NO_FACES, NO_FACES)


def write_set(folder: Path, photos: dict[str, bytes], faces: list[tuple[str, np.ndarray]]) -> None:
    folder.mkdir(parents=True)
    with tarfile.open(folder / "detect_00.tar", "w") as tar:
        for name, data in photos.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    with (folder / "images.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("shard", "file", "width", "height", "source", "faces"))
        rows.writerows(("detect_00.tar", name, 0, 0, "made", 0) for name in photos)
    for table in ("faces.csv", "uncertain.csv"):
        with (folder / table).open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("file", *FACE_COLUMNS, "score"))
            if table == "faces.csv":
                rows.writerows((name, *face.tolist(), 0.9) for name, face in faces)


def jpeg(photo: Photo) -> bytes:
    return cv2.imencode(".jpg", photo.pixels)[1].tobytes()


def write_made_set(folder: Path) -> Path:
    """A data folder with six photos of one face each, six without, and one that is no picture."""
    faces = [face_at(40 + 10 * i, 60, 70, 90) for i in range(6)]
    photos = {f"face{i}.jpg": jpeg(drawn_photo("", [face])) for i, face in enumerate(faces)}
    photos |= {f"none{i}.jpg": jpeg(drawn_photo("", [], 160 + i)) for i in range(6)}
    photos["broken.jpg"] = b"\xff\xd8 no picture"
    write_set(folder / "detect", photos, [(f"face{i}.jpg", face) for i, face in enumerate(faces)])
    return folder


TINY = DetectorRecipe(
    steps=4, shapes=(Shape(64, 4, 1.0), Shape(96, 2, 1.0)), bank=0, held_out=0.34, warm_up_steps=2
)
