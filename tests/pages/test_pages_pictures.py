"""What a browser shows of a picture is what Invigil decodes: files of every kind, drawn to a canvas."""

import base64
from collections.abc import Iterator

import numpy as np
import pytest
from fixtures_pages import BROWSER_FLAGS
from made_pictures import every_picture
from numpy.typing import NDArray
from playwright.sync_api import Page, Playwright

from embedding.image import ImageLimits, decode

Picture = NDArray[np.uint8]

TOLERANCE = 2
"""Of 255, in any channel of any pixel: browsers blend and convert colours with other roundings."""

# Chromium leaves their last rows unpainted. They are there: see tests/embedding/test_image_formats.py.
UNENDED = ("jpeg without an end", "jpeg progressive without an end")
PICTURES = {name: data for name, data in every_picture().items() if name not in UNENDED}

DRAW = """async (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([bytes]));
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0);
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  let letters = "";
  for (let at = 0; at < data.length; at += 30000) {
    letters += String.fromCharCode(...data.subarray(at, at + 30000));
  }
  return [canvas.width, canvas.height, btoa(letters)];
}"""


@pytest.fixture(scope="module")
def canvas(chromium: str, playwright: Playwright) -> Iterator[Page]:
    """An empty page that draws what it is given; it shows colours as sRGB, whatever screen there is."""
    browser = playwright.chromium.launch(
        executable_path=chromium, args=[*BROWSER_FLAGS, "--force-color-profile=srgb"]
    )
    yield browser.new_page()
    browser.close()


def drawn(canvas: Page, data: bytes) -> Picture:
    """(H, W, 3) as Chromium shows the file on a white page."""
    width, height, text = canvas.evaluate(DRAW, base64.b64encode(data).decode())
    pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
    return pixels[..., :3]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_looks_as_in_chromium(canvas: Page, name: str) -> None:
    data = PICTURES[name]

    shown = drawn(canvas, data)

    ours = decode(data, ImageLimits())
    assert ours.shape == shown.shape
    assert np.abs(ours.astype(int) - shown).max() <= TOLERANCE
