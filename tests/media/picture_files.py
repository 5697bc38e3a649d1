"""Small pictures in every kind of file, for tests that damage them."""

import io

import cv2
import numpy as np
from PIL import Image

SMOOTH = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8), (33, 41)
)  # (41, 33, 3) red-green-blue


def encoded(image, form, **options):
    buffer = io.BytesIO()
    image.copy().save(buffer, form, **options)
    return buffer.getvalue()


def colours():
    return Image.fromarray(SMOOTH)


def two_pictures():
    return {"save_all": True, "append_images": [Image.fromarray(255 - SMOOTH)]}


def picture_files():
    """One file of each kind by a name that tells the kind."""
    image, gray = colours(), colours().convert("L")
    deep = Image.fromarray(SMOOTH[..., 0].astype(np.uint16) * 257)
    return {
        "JPEG": encoded(image, "JPEG"),
        "JPEG progressive": encoded(image, "JPEG", progressive=True),
        "JPEG gray": encoded(gray, "JPEG"),
        "JPEG CMYK": encoded(image.convert("CMYK"), "JPEG"),
        "JPEG with restarts": encoded(image, "JPEG", restart_marker_blocks=2),
        "JPEG with EXIF": encoded(image, "JPEG", exif=turned(6)),
        "PNG": encoded(image, "PNG"),
        "PNG palette": encoded(image.convert("P"), "PNG"),
        "PNG 16 bits": encoded(deep, "PNG"),
        "PNG animated": encoded(image, "PNG", **two_pictures()),
        "WebP": encoded(image, "WEBP"),
        "WebP lossless": encoded(image, "WEBP", lossless=True),
        "WebP animated": encoded(image, "WEBP", **two_pictures()),
        "GIF": encoded(image, "GIF"),
        "GIF animated": encoded(image, "GIF", **two_pictures()),
        "BMP": encoded(image, "BMP"),
        "BMP gray": encoded(gray, "BMP"),
        "TIFF": encoded(image, "TIFF"),
        "TIFF LZW": encoded(image, "TIFF", compression="tiff_lzw"),
        "TIFF JPEG": encoded(image, "TIFF", compression="jpeg"),
        "BigTIFF": encoded(image, "TIFF", big_tiff=True),
        "TIFF of two": encoded(image, "TIFF", compression="raw", **two_pictures()),
    }


def turned(orientation):
    """EXIF data with an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
