import asyncio
import time
from uuid import uuid4

from tests.bookings.conftest import *
from tests.bookings.given import *


async def test_measure(house):
    for pool in (1,):
        listing, guest = await house.listing(), uuid4()
        t = time.perf_counter()
        quotes = [await house.quote(listing, guest) for _ in range(200)]
        t1 = time.perf_counter()
        print("quote ms", (t1 - t) * 5)
        t = time.perf_counter()
        a = await asyncio.gather(*(house.ask_booking(q["id"], guest) for q in quotes))
        t1 = time.perf_counter()
        print("race of 200: s", t1 - t)
        big = await house.listing(units=1000)
        quotes = [await house.quote(big, guest) for _ in range(100)]
        t = time.perf_counter()
        for q in quotes:
            await house.ask_booking(q["id"], guest)
        print("book ms", (time.perf_counter() - t) * 10)
        t = time.perf_counter()
        async with house.service.database.unit_of_work() as session:
            await session.execute(text("select 1"))
        print("tx ms", (time.perf_counter() - t) * 1000)
        t = time.perf_counter()
        await house.service.clean()
        print("clean ms", (time.perf_counter() - t) * 1000)
