"""Reading pictures from files that may be damaged.

Pillow decodes, because it refuses every truncated file; OpenCV returns a picture
for most of them. What a decoder could do in more than one way is settled here:

- EXIF orientation is applied.
- 16-bit pixels keep their upper 8 bits; a picture of 32-bit pixels is refused.
- CMYK, palette and other colour modes become RGB, without their colour profile.
- Transparency is laid on white; a picture that is wholly transparent is refused.
- Of an animation, or of a file of several pictures, the first one is taken; the file
  must be whole too. ``further_images`` counts them.

Damage is found where a format shows it: JPEG (``jpeg.jpeg_fault``), PNG and TIFF with
Deflate by their checksums, GIF by its codes, WebP where it lost whole blocks
(``image_damage.webp_fault``). BMP files, and TIFF files without compression, have nothing that
separates damage from a picture. Flipped bits often decode without an error. Only the SHA-256
of the bytes, kept when they were first seen, finds them.
"""

import io
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from upath import UPath

from action_units.errors import UnusableFace
from action_units.media.image_damage import PNG_SIGNATURE, check_end, plain_png, webp_fault
from action_units.media.jpeg import decode_plain_jpeg, jpeg_fault
from action_units.media.paths import AnyPath

Pixels = npt.NDArray[np.uint8]

MAX_MEGAPIXELS = 64.0
"""Pictures above it are refused before they are decoded."""

MAX_BYTES = 512 << 20
"""Larger files are not read."""

Image.MAX_IMAGE_PIXELS = None  # the cap is the caller's; Pillow's would refuse what that allows

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_ORIENTATION = 0x0112
_HTML = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<script")
_SIGNATURES = {
    b"\xff\xd8": "JPEG",
    b"\x89PNG": "PNG",
    b"RIFF": "WebP",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}


def read_image(
    path: AnyPath | str, gray: bool = False, max_megapixels: float | None = MAX_MEGAPIXELS
) -> Pixels:
    """Read a picture from a file.

    Args:
        path: The file; its name may be any bytes.
        gray: Give gray pixels whatever the picture has, which is faster than
            converting colours afterwards.
        max_megapixels: The largest picture that is decoded, in 10⁶ pixels; None for no limit.

    Returns:
        Gray ``(H, W)`` or blue-green-red ``(H, W, 3)``, uint8, upright.

    Raises:
        UnusableFace: The picture cannot be used. Reasons: ``missing``, ``not a file``,
            ``unreadable``, ``empty``, ``too large``, ``not an image``, ``truncated``,
            ``damaged``, ``transparent``, ``unsupported``.
    """
    return decode(read_content(path), gray, max_megapixels)


def read_content(path: AnyPath | str) -> bytes:
    """The bytes of a picture's file, on a disk or in a store.

    Raises:
        UnusableFace: As ``read_image``.
    """
    content = _fetched(path) if isinstance(path, UPath) else _read(path)
    if not content:
        raise UnusableFace("empty", "the file has no bytes")
    return content


def content_or_reason(path: AnyPath | str) -> bytes | UnusableFace:
    """The bytes of a picture's file, or why it has none."""
    try:
        return read_content(path)
    except UnusableFace as error:
        return error


def _read(path: Path | str) -> bytes:
    try:
        status = os.stat(path)  # noqa: PTH116 - Path objects cost more than the call
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise UnusableFace("not a file", f"the name belongs to {kind}")
        if status.st_size > MAX_BYTES:
            raise UnusableFace("too large", f"the file has {status.st_size:,} bytes")
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise UnusableFace("missing", "there is no such file") from None
    except (OSError, ValueError) as error:
        raise UnusableFace("unreadable", str(error)) from None


def _fetched(path: UPath) -> bytes:
    """A file of a store."""
    try:
        content: bytes = path.fs.cat_file(path.path, 0, MAX_BYTES + 1)
    except FileNotFoundError:
        raise UnusableFace("missing", "there is no such file") from None
    except IsADirectoryError:
        raise UnusableFace("not a file", "the name belongs to a folder") from None
    except Exception as error:  # each store's client has errors of its own
        raise UnusableFace("unreadable", str(error) or type(error).__name__) from None
    if len(content) > MAX_BYTES:
        raise UnusableFace("too large", f"the file has more than {MAX_BYTES:,} bytes")
    return content


def decode(
    content: bytes, gray: bool = False, max_megapixels: float | None = MAX_MEGAPIXELS
) -> Pixels:
    """Decode the bytes of a picture; see ``read_image``."""
    most = math.inf if max_megapixels is None else max_megapixels * 1e6
    if (plain := decode_plain_jpeg(content, most, gray)) is not None:
        return plain
    if content.startswith(PNG_SIGNATURE):
        content = plain_png(content)
    with _decoding(content):
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    with image:
        form, (width, height) = image.format, image.size
        if width * height > most:
            raise UnusableFace(
                "too large",
                f"{width:,} × {height:,} pixels are above {max_megapixels:g} megapixels",
            )
        check_end(image, content)
        with _decoding(content):
            if gray and image.format == "JPEG" and image.mode == "RGB":
                image.draft("L", image.size)
            image.load()
        pixels = _pixels(image, gray)
        if fault := _fault(form, content, pixels):
            raise UnusableFace("damaged", fault)
        return _upright(pixels, _orientation(image))


def _fault(form: str | None, content: bytes, pixels: Pixels) -> str | None:
    """What is wrong with a file that a decoder made a picture of, as a clause."""
    if form in ("JPEG", "MPO"):
        return jpeg_fault(content)
    return webp_fault(content, pixels) if form == "WEBP" else None


@contextmanager
def _decoding(content: bytes) -> Iterator[None]:
    """What a decoder raises, as a reason why the picture cannot be used."""
    try:
        yield
    except UnusableFace:
        raise
    except UnidentifiedImageError:
        raise _unidentified(content) from None
    except MemoryError:
        raise UnusableFace("too large", "there is not enough memory to decode it") from None
    except Exception as error:  # a decoder may raise anything on hostile bytes
        reason = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise UnusableFace(reason, str(error) or type(error).__name__) from None


def further_images(content: bytes) -> str:
    """What ``decode`` has left out of a file, as a clause; mostly nothing.

    The views of a JPEG file of several (MPO), such as those of a stereo camera or of a
    telephone's depth, are of one moment, and do not count.
    """
    frames = 1
    with suppress(UnusableFace):
        content = plain_png(content) if content.startswith(PNG_SIGNATURE) else content
        with _decoding(content), Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
    return f"the first of {frames:,} pictures was taken" if frames > 1 else ""


def to_gray(pixels: Pixels) -> Pixels:
    """Gray ``(H, W)`` of gray or blue-green-red pixels (ITU-R BT.601 luma)."""
    if pixels.ndim == 2:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)


def to_rgb(pixels: Pixels) -> Pixels:
    """Red-green-blue ``(H, W, 3)`` of gray or blue-green-red pixels; gray is repeated."""
    code = cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, code), np.uint8)


def _pixels(image: Image.Image, gray: bool) -> Pixels:
    """The first picture's pixels, 8 bits each, gray or blue-green-red."""
    mode = image.mode
    if mode in ("I", "F") or mode.startswith("I;16"):
        return _deep(image)
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return _opaque(image, gray)
    if mode in ("1", "L"):
        return np.asarray(_converted(image, "L"), np.uint8)
    rgb = np.asarray(image if mode == "RGB" else _converted(image, "RGB"), np.uint8)
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY if gray else cv2.COLOR_RGB2BGR))


def _converted(image: Image.Image, mode: str) -> Image.Image:
    with _decoding(b""):
        return image.convert(mode)


def _deep(image: Image.Image) -> Pixels:
    """Gray pixels of 16 bits, as their upper 8."""
    values: npt.NDArray[Any] = np.asarray(image)
    if image.mode == "F" or (values.size and (values.min() < 0 or values.max() > 0xFFFF)):
        raise UnusableFace("unsupported", "32-bit pixels have no standard white level")
    return (values.astype(np.uint16) >> 8).astype(np.uint8)


def _opaque(image: Image.Image, gray: bool) -> Pixels:
    """A picture with transparency, laid on white."""
    rgba = _converted(image, "RGBA")
    if not any(rgba.getchannel("A").getextrema()):
        raise UnusableFace("transparent", "every pixel is wholly transparent")
    laid = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    code = cv2.COLOR_RGBA2GRAY if gray else cv2.COLOR_RGBA2BGR
    return np.asarray(cv2.cvtColor(np.asarray(laid), code), np.uint8)


def _unidentified(content: bytes) -> UnusableFace:
    """Why no decoder knows these bytes."""
    for signature, form in _SIGNATURES.items():
        if content.startswith(signature):
            return UnusableFace("damaged", f"the header of the {form} is damaged or cut short")
    if content[4:8] == b"ftyp":
        return UnusableFace("unsupported", "HEIF and AVIF are not read; convert it to JPEG")
    start = content[:512].lstrip().lower()
    what = "an HTML or XML page" if start.startswith(_HTML) else "of no known image format"
    return UnusableFace("not an image", f"the content is {what}")


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1, upright, where EXIF is absent or unreadable."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF with intact pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (CIPA DC-008, tag 0x0112)."""
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
