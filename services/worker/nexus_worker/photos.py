"""Photos: from the picture that a host uploaded to the sizes in which it is shown. `reactions.py` lists it."""

from io import BytesIO
from typing import Any

import anyio
import httpx
import structlog
from anyio import to_thread
from nexus_contracts.photos import ORIGINAL, PhotoSize, PhotoUploaded, key_of
from PIL import Image

from nexus_worker.failures import require_success
from nexus_worker.job import Job

log = structlog.get_logger(__name__)

_QUALITY = 80
_AT_ONCE = anyio.CapacityLimiter(2)
"""Each keeps a core busy; more at once would only take longer, and more memory."""


class OriginalMissing(Exception):
    """No fault of the picture's, nor for ever: somebody will put the store right."""


async def make_photo_sizes(job: Job[PhotoUploaded]) -> None:
    """Store every size of the photo, then tell listings that they are there, or why they cannot be made.

    Done again, it writes the same files and says the same.
    """
    photo_id = job.fact.photo_id
    original = await job.tools.objects.read(key_of(photo_id, ORIGINAL))
    if original is None:
        if await _ask(job, "GET", "") is not None:
            raise OriginalMissing("this store does not have it: is NEXUS_PHOTOS_URL the same here and in listings?")
        return
    try:
        sizes = await to_thread.run_sync(make_sizes, original, limiter=_AT_ONCE)
    except OSError as exc:  # so Pillow calls what it cannot read
        await _tell(job, "failed", {"reason": f"The file as it was kept cannot be read ({type(exc).__name__})."})
        return
    for size, content in sizes.items():
        await job.tools.objects.put(key_of(photo_id, size.file), content)
    await _tell(job, "ready")


def make_sizes(original: bytes) -> dict[PhotoSize, bytes]:
    """The picture in all sizes, as WebP. Raises whatever the decoder does if it cannot be read."""
    with Image.open(BytesIO(original), formats=("JPEG",)) as image:
        image.load()
        return {size: _resized(image, size) for size in PhotoSize}


def _resized(image: Image.Image, size: PhotoSize) -> bytes:
    content = BytesIO()
    fitted = image.resize(size.fit(*image.size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    fitted.save(content, "WEBP", quality=_QUALITY)
    return content.getvalue()


async def _tell(job: Job[PhotoUploaded], outcome: str, body: dict[str, str] | None = None) -> None:
    await _ask(job, "POST", f"/{outcome}", json=body)


async def _ask(job: Job[PhotoUploaded], method: str, path: str, **body: Any) -> httpx.Response | None:
    """What listings says of the photo; None when the photo is no more."""
    address = f"/internal/photos/{job.fact.photo_id}{path}"
    answer = await job.tools.services["listings"].request(method, address, **body)
    if answer.status_code == 404:  # its files go the way of all files without a photo
        log.info("the photo is no more", photo_id=str(job.fact.photo_id))
        return None
    return require_success(answer, "listings")
