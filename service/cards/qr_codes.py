"""QR codes of links that have to get to a phone."""

import zxingcpp


def draw_qr_code(text: str) -> str:
    """A QR code as an SVG document."""
    made = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode)
    return str(made.to_svg(add_quiet_zones=True))
