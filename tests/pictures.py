"""Files as hosts and attackers send them, made by Pillow: for the tests of listings, the worker and the whole suite."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image, ImageCms, ImageDraw

SECRET = b"GPS-OF-THE-HOST"
RED, BLUE = (200, 30, 30), (30, 30, 200)


def picture(width: int = 1200, height: int = 800, mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right, and not quite flat."""
    image = Image.new("RGB", (width, height), RED)
    ImageDraw.Draw(image).rectangle((width // 2, 0, width, height), fill=BLUE)
    image.putpixel((0, 0), (width % 256, height % 256, 0))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(width: int = 1200, height: int = 800, **options: Any) -> bytes:
    """A plain photo."""
    return encoded(picture(width, height), "JPEG", **options)


def with_exif(*, orientation: int = 1) -> bytes:
    """A JPEG as a phone makes it: a place, a camera, a comment, and the way it was held."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = SECRET.decode()
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSAreaInformation] = SECRET
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + SECRET + b"</x:xmpmeta>"
    return jpeg(exif=exif, xmp=xmp, comment=SECRET)


def red_is_blue() -> bytes:
    """A colour profile by which red means blue, and blue red."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for curve_or_place in (b"XYZ", b"TRC"):
        red, blue = b"r" + curve_or_place, b"b" + curve_or_place
        profile = profile.replace(red, b"____", 1).replace(blue, red, 1).replace(b"____", blue, 1)
    return profile


def animated(kind: str) -> bytes:
    """Three pictures in one file."""
    frames = [picture(300, 300), picture(300, 300).transpose(Image.Transpose.ROTATE_90), picture(300, 300)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def sixteen_bit_png() -> bytes:
    """400 by 300, red, 16 bits a channel; its right half is transparent. Pillow writes no such file."""
    red = struct.pack(">HHH", 0xC8FF, 0x1EFF, 0x1EFF)
    row = b"\0" + (red + b"\xff\xff") * 200 + (red + b"\0\0") * 200
    header = struct.pack(">IIBBBBB", 400, 300, 16, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(row * 300)) + _chunk(b"IEND")


def png_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A few kB that would be gigabytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND")


def webp_bomb() -> bytes:
    """The largest canvas that WebP can name, around a small picture."""
    small = encoded(picture(300, 300, "RGBA"), "WEBP", lossless=True)
    frames = small[small.index(b"VP8L") :]
    size = (16_382).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + size + size
    body = b"WEBP" + extended + frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _chunk(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def opened(file: bytes) -> Image.Image:
    """The picture in it, decoded."""
    image = Image.open(BytesIO(file))
    image.load()
    return image


def is_like(pixel: Any, colour: tuple[int, int, int]) -> bool:
    """Nearly that colour: JPEG and WebP lose a little."""
    return all(abs(one - other) < 16 for one, other in zip(pixel[:3], colour, strict=True))
