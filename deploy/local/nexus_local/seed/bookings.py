"""Makes bookings of the demo guest in the demo host's listings: one in each state, as far as they are missing.

`command.py` calls `make_bookings`; `changes.py` and `payouts.py` play on the same scene. Both people use the public
API, and the guest pays on the provider's page. Only time cannot be asked to pass: what has expired, or is over, is made
like the others and then moved in the database.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx

from nexus_local.import_command import target
from nexus_local.importing import Stopped
from nexus_local.suite import Suite

Json = dict[str, Any]

PATIENCE_SECONDS = 30
WEEKS = range(5, 40)
"""From now, in which a stay may begin."""
EXPIRED = "UPDATE bookings SET expires_at = now() WHERE id = $1"
COMPLETED = """
    WITH past AS (SELECT id, check_out - current_date + 1 AS days FROM bookings WHERE id = $1)
    UPDATE bookings SET ends_at = now(), check_in = check_in - days, check_out = check_out - days,
           price = jsonb_set(price, '{nights}', (
               SELECT jsonb_agg(night || jsonb_build_object('night', (night ->> 'night')::date - days) ORDER BY place)
                 FROM jsonb_array_elements(price -> 'nights') WITH ORDINALITY AS nights (night, place)))
      FROM past WHERE bookings.id = past.id
"""
"""The stay ended yesterday, night by night; the service completes it."""


@dataclass(frozen=True)
class Person:
    """Who acts, through the gateway."""

    client: httpx.AsyncClient

    async def get(self, path: str, **params: str | int) -> Json:
        """A read."""
        return _body(await self.client.get(path, params=params))

    async def post(self, path: str, body: Json | None = None) -> Json:
        """A call."""
        return _body(await self._post(path, body))

    async def put(self, path: str, body: Json) -> None:
        """A setting."""
        _body(await self.client.put(path, json=body))

    async def book(self, listing: Json) -> Json:
        """The first stay that can be had."""
        return await self._have(listing, "/bookings", {})

    async def change(self, listing: Json, booking: Json) -> Json:
        """The first other stay that can be had instead."""
        return await self._have(listing, f"/bookings/{booking['id']}/changes", {"booking_id": booking["id"]}, booking)

    async def _have(self, listing: Json, path: str, wish: Json, instead_of: Json | None = None) -> Json:
        for week in WEEKS:
            stay = stay_in(listing, week)
            if instead_of and stay["check_in"] == instead_of["check_in"]:
                continue
            answer = await self._post("/quotes", {"listing_id": listing["id"], **stay, **wish})
            if answer.is_success:
                answer = await self._post(path, {"quote_id": answer.json()["id"]})
            if answer.status_code != httpx.codes.CONFLICT:
                return _body(answer)
        raise Stopped(f"no week is free in {listing['title']}")

    async def becomes(self, thing: Json, status: str, *, among: str = "/bookings") -> None:
        """Wait until a booking does, or a payout."""
        for _ in range(PATIENCE_SECONDS * 10):
            if (await self.get(f"{among}/{thing['id']}"))["status"] == status:
                return
            await asyncio.sleep(0.1)
        raise Stopped(f"one of the demo's {among[1:]} does not become {status}: look at the log of bookings")

    async def _post(self, path: str, body: Json | None) -> httpx.Response:
        return await self.client.post(path, json=body, headers={"Idempotency-Key": str(uuid4())})


@dataclass(frozen=True)
class Scene:
    """Who takes part, and where."""

    guest: Person
    host: Person
    at_once: list[Json]
    """Listings that anybody may book."""
    on_request: list[Json]
    """Listings whose host is asked first."""
    in_the_past: Callable[[str, Json], Awaitable[None]]

    async def requested(self, number: int) -> Json:
        """The host has not answered yet."""
        return await self.guest.book(self.on_request[number % len(self.on_request)])

    async def declined(self, number: int) -> None:
        """The host said no."""
        booking = await self.requested(number)
        await self.host.post(f"/bookings/{booking['id']}/decline")

    async def pending_payment(self, number: int) -> Json:
        """Held, not paid."""
        return await self.guest.book(self.at_once[number % len(self.at_once)])

    async def expired(self, number: int) -> None:
        """Not paid in time."""
        booking = await self.pending_payment(number)
        await self.in_the_past(EXPIRED, booking)
        await self.guest.becomes(booking, "expired")

    async def confirmed(self, number: int) -> Json:
        """Paid."""
        return await self.paid(await self.pending_payment(number))

    async def paid(self, booking: Json) -> Json:
        """The guest pays, and it is confirmed."""
        payment = await self.guest.post(f"/bookings/{booking['id']}/payments")
        async with httpx.AsyncClient(trust_env=False) as browser:
            _body(await browser.post(f"{payment['checkout_url']}/pay", follow_redirects=False))
        await self.guest.becomes(booking, "confirmed")
        return booking

    async def cancelled(self, number: int) -> None:
        """Paid, and called off by the guest: the money is on its way back."""
        booking = await self.confirmed(number)
        await self.guest.post(f"/bookings/{booking['id']}/cancel")

    async def completed(self, number: int) -> None:
        """The stay is over, and the host has earned it."""
        booking = await self.confirmed(number)
        await self.in_the_past(COMPLETED, booking)
        await self.guest.becomes(booking, "completed")


def stay_in(listing: Json, week: int) -> Json:
    """A short one, so many weeks from now."""
    check_in = datetime.now(UTC).date() + timedelta(weeks=week)
    check_out = check_in + timedelta(days=max(listing["min_nights"], 2))
    return {"check_in": check_in.isoformat(), "check_out": check_out.isoformat(), "guests": 1}


STATES = ("requested", "declined", "pending_payment", "expired", "confirmed", "cancelled", "completed")


async def make_bookings(suite: Suite) -> None:
    """One in each state. Raises `Stopped` when the suite does not take it."""
    async with scene_of(suite) as scene:
        there = await asyncio.gather(*(scene.guest.get("/bookings", status=state, limit=1) for state in STATES))
        missing = [state for state, found in zip(STATES, there, strict=True) if not found["items"]]
        await asyncio.gather(*(getattr(scene, state)(STATES.index(state)) for state in missing))
    print(f"{len(STATES)} demo bookings are there, {len(missing)} of them new")


@asynccontextmanager
async def scene_of(suite: Suite) -> AsyncIterator[Scene]:
    """The demo guest and the demo host, signed in."""
    async with person(suite, "guest") as guest, person(suite, "host") as host:
        listings = (await host.get("/listings/mine", limit=100))["items"]
        plain = [each for each in listings if each["status"] == "published" and not each["rates"]["rules"]]
        yield Scene(
            guest,
            host,
            at_once=[each for each in plain if each["instant_book"]],
            on_request=[each for each in plain if not each["instant_book"]],
            in_the_past=lambda statement, booking: _in_the_past(suite, statement, booking),
        )


@asynccontextmanager
async def person(suite: Suite, name: str) -> AsyncIterator[Person]:
    """One of those with a demo login."""
    where = target(suite.folder, None, suite.demo_login(name)["email"], None)
    async with where.client() as client:
        client.headers["Authorization"] = f"Bearer {await where.sign_in(client)}"
        yield Person(client)


async def _in_the_past(suite: Suite, statement: str, booking: Json) -> None:
    connection = await asyncpg.connect(suite.postgres_url(), database="nexus_bookings")
    try:
        await connection.execute(statement, UUID(booking["id"]))
    finally:
        await connection.close()


def _body(answer: httpx.Response) -> Json:
    if answer.is_error:
        raise Stopped(f"the demo's bookings were refused: {answer.request.url.path}: {answer.text}")
    return answer.json() if answer.is_success else {}
