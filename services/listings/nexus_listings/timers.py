"""What happens without a request: `main.py` hands `BACKGROUND` to the kit, which runs it in one process at a time."""

from collections.abc import Awaitable, Callable

from nexus_kit import idempotency
from nexus_kit.background import Periodic
from nexus_kit.objects import Objects
from nexus_kit.runtime import Runtime
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.listings import service as listings
from nexus_listings.nights import service as nights
from nexus_listings.photos import service as photos
from nexus_listings.saved_searches import service as saved_searches
from nexus_listings.search import service as search


async def look_for_matches(runtime: Runtime) -> None:
    """Each saved search whose look is due, in a small transaction of its own."""
    await _as_long_as_there_are(saved_searches.look, runtime)


async def archive_erased(runtime: Runtime) -> None:
    """What is left of hosts who have gone, some listings in each transaction."""
    await _as_long_as_there_are(listings.archive_erased, runtime)


async def prune(runtime: Runtime) -> None:
    """What no search needs any more."""
    for forget in (nights.prune, search.prune_words):
        async with runtime.database.unit_of_work() as session:
            await forget(session)


BACKGROUND = [
    Periodic("look for matches", 10.0, look_for_matches),
    Periodic("archive what erased hosts left", 10.0, archive_erased),
    Periodic("prune what searches read", 24 * 3600.0, prune),
    Periodic("forget idempotency keys", 3600.0, lambda runtime: idempotency.prune(runtime.database)),
]
"""Everything, with the seconds between two rounds."""


def sweeping(store: Objects) -> list[Periodic]:
    """What no photo needs leaves the store: soon where the database knows of it, else within days."""
    return [
        Periodic("remove archived photos", 600.0, lambda runtime: photos.remove_archived(runtime.database, store)),
        Periodic("sweep photos", 24 * 3600.0, lambda runtime: photos.sweep(runtime.database, store)),
    ]


async def _as_long_as_there_are(work: Callable[[AsyncSession], Awaitable[bool]], runtime: Runtime) -> None:
    found = True
    while found:
        async with runtime.database.unit_of_work() as session:
            found = await work(session)
