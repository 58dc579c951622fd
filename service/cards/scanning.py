"""Codes on cards, read from a small grey picture. It is neither kept nor logged nor looked at for a face."""

from dataclasses import dataclass

import numpy as np
import zxingcpp

from embedding.errors import ImageTooLarge
from embedding.image import ImageLimits, Pixels, decode

WIDEST, HIGHEST = 480, 240
LIMITS = ImageLimits(max_bytes=256 * 1024, max_pixels=WIDEST * HIGHEST)
LONGEST_TEXT = 255

NAMES = {
    zxingcpp.BarcodeFormat.QRCode: "qr_code",
    zxingcpp.BarcodeFormat.DataMatrix: "data_matrix",
    zxingcpp.BarcodeFormat.Aztec: "aztec",
    zxingcpp.BarcodeFormat.PDF417: "pdf417",
    zxingcpp.BarcodeFormat.Code39: "code_39",
    zxingcpp.BarcodeFormat.Code93: "code_93",
    zxingcpp.BarcodeFormat.Code128: "code_128",
    zxingcpp.BarcodeFormat.Codabar: "codabar",
    zxingcpp.BarcodeFormat.ITF: "itf",
    zxingcpp.BarcodeFormat.EAN13: "ean_13",
    zxingcpp.BarcodeFormat.EAN8: "ean_8",
    zxingcpp.BarcodeFormat.UPCA: "upc_a",
}
"""As the browsers' Barcode Detection API calls them, which a kiosk asks first."""


@dataclass(frozen=True)
class Code:
    """A code and what it says."""

    format: str
    text: str


def read_codes(picture: bytes) -> list[Code]:
    """Every code in a picture of at most 480 × 240 pixels; only its brightness is looked at.

    Raises:
        ImageTooLarge, UnsupportedMedia, DecodeFailed: As `embedding.image.decode`.
    """
    pixels = decode(picture, LIMITS)
    height, width = pixels.shape[:2]
    if width > WIDEST or height > HIGHEST:
        raise ImageTooLarge(max(width, height), WIDEST if width > WIDEST else HIGHEST, "pixels")
    found = zxingcpp.read_barcodes(grey(pixels), formats=zxingcpp.BarcodeFormats(list(NAMES)))
    codes = [Code(NAMES.get(one.format, str(one.format)), one.text) for one in found if one.text]
    return [code for code in codes if len(code.text) <= LONGEST_TEXT]


def grey(pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """(H, W, 3) RGB → (H, W) brightness (ITU-R BT.601)."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.ascontiguousarray(np.rint(pixels @ weights).astype(np.uint8))
