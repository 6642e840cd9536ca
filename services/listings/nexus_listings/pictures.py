"""What a host uploads becomes a picture of ours: looked at, decoded, turned upright, and stripped of all but pixels.

`photos/routes.py` hands over the body as it arrives. A file is what its bytes are, whatever its name or header says.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO

import anyio
from anyio import to_thread
from nexus_kit.errors import Busy, Unprocessable, UnsupportedMediaType
from PIL import ExifTags, Image, ImageCms, ImageOps

MOST_BYTES = 10 * 1024 * 1024
LONGEST = 2560
"""What the longer side of a kept picture may have, in pixels: more than any size that is shown."""
SHORTEST = 200
"""What the shorter side of an upload must have, in pixels."""

# By what decoding holds in memory for each pixel: 6 bytes for a progressive JPEG, 4 for a PNG, 16 for a WebP.
MOST_PIXELS = {"JPEG": 50_000_000, "PNG": 50_000_000, "WEBP": 16_000_000}

# One picture at a time is decoded, and few bodies wait for it: so many bytes this process needs, and no more.
_in_hand = anyio.CapacityLimiter(8)
_decoding = anyio.CapacityLimiter(1)
_PATIENCE = 20
"""Seconds until a caller who waits for either is asked to come again."""

_BAND = 256
_SRGB = ImageCms.createProfile("sRGB")


class PhotoFormatUnsupported(UnsupportedMediaType):
    """The file is neither a JPEG, nor a PNG, nor a WebP, whatever it is called."""


class PhotoBroken(Unprocessable):
    """The file is damaged or incomplete: it cannot be read to its end."""


class PhotoAnimated(Unprocessable):
    """The file holds several pictures; a photo is one."""


class PhotoTooSmall(Unprocessable):
    """The photo has too few pixels to be shown."""


class PhotoHasTooManyPixels(Unprocessable):
    """The photo has more pixels than can be decoded here."""


@dataclass(frozen=True)
class Picture:
    """An upload as it is kept."""

    jpeg: bytes
    """Upright, in sRGB, without metadata."""
    width: int
    height: int
    digest: bytes
    """SHA-256 of what was uploaded, by which it is recognised."""


async def receive(body: AsyncIterator[bytes]) -> Picture:
    """Read the body and make a picture of it, in a thread. Raises one of the problems above, or `Busy`."""
    try:
        with anyio.fail_after(_PATIENCE):
            async with _in_hand:
                upload = BytesIO()
                async for chunk in body:
                    upload.write(chunk)
                return await to_thread.run_sync(develop, upload, limiter=_decoding)
    except TimeoutError:
        raise Busy("Many photos are being uploaded; try again.") from None


def develop(upload: BytesIO) -> Picture:
    """The picture in these bytes."""
    digest = hashlib.sha256(upload.getbuffer()).digest()
    with _opened(upload) as image:
        try:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            profile = image.info.get("icc_profile")
            image.draft(None, _kept_size(image.size))  # a JPEG is decoded no larger than it is needed
            image.load()
            small = _in_srgb(_reduced(image), profile)
        except Exception as exc:  # a decoder's errors are of a dozen unrelated types
            raise PhotoBroken from exc
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    small.getexif()[ExifTags.Base.Orientation] = orientation
    upright = ImageOps.exif_transpose(small)
    kept = BytesIO()
    upright.save(kept, "JPEG", quality=92, subsampling=0)
    return Picture(kept.getvalue(), *upright.size, digest)


def _opened(upload: BytesIO) -> Image.Image:
    """The file with its header read, and found to be worth decoding."""
    try:
        image = Image.open(upload, formats=tuple(MOST_PIXELS))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise PhotoHasTooManyPixels from exc
    except Exception as exc:
        if _looks_right(upload.getbuffer()[:12].tobytes()):
            raise PhotoBroken from exc
        raise PhotoFormatUnsupported from exc
    # What phones call a JPEG may be an MPO, with a depth map or a preview behind the photo: the first picture is it.
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    width, height = image.size
    if width * height > MOST_PIXELS[kind]:
        raise PhotoHasTooManyPixels(f"{width} x {height} pixels; a {kind} may have {MOST_PIXELS[kind]:,}.")
    if min(width, height) < SHORTEST:
        raise PhotoTooSmall(f"{width} x {height} pixels; each side needs {SHORTEST}.")
    if kind != "JPEG" and getattr(image, "n_frames", 1) > 1:
        raise PhotoAnimated
    return image


def _looks_right(head: bytes) -> bool:
    return head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def _kept_size(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, LONGEST / max(size))
    return round(size[0] * scale), round(size[1] * scale)


def _reduced(image: Image.Image) -> Image.Image:
    """Without alpha, and by a whole factor not far above the size that is kept.

    Band by band: a second copy of the whole picture may be more than the memory that is left.
    """
    factor = max(1, max(image.size) // LONGEST)
    width, height = (-(-side // factor) for side in image.size)
    reduced = None
    for row in range(0, height, _BAND):
        bottom = min(image.height, (row + _BAND) * factor)
        band = _opaque(image.crop((0, row * factor, image.width, bottom))).reduce(factor)
        reduced = reduced or Image.new(band.mode, (width, height))
        reduced.paste(band, (0, row))
    assert reduced is not None
    return reduced


def _opaque(band: Image.Image) -> Image.Image:
    """In a mode that a colour profile can speak of: RGB, grey or CMYK. What was transparent is white."""
    if band.has_transparency_data:
        ground = Image.new("RGBA", band.size, "white")
        ground.alpha_composite(band.convert("RGBA"))
        return ground.convert("RGB")
    if band.mode.startswith("I"):  # 16 bits of grey
        return band.point(lambda value: value * (1 / 256)).convert("L")
    return band if band.mode in ("RGB", "L", "CMYK") else band.convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """By the profile that the file brought; without one, or with one that makes no sense, as it is commonly read."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted is not None:
            return Image.frombytes("RGB", converted.size, converted.tobytes())
    return image.convert("RGB")
