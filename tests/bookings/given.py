"""How tests of bookings get to a listing, a booking, a payment: by the calls that clients and the worker make."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
from nexus_contracts.auth import UserDeleted
from nexus_contracts.envelope import CloudEvent, Event
from nexus_contracts.listings import CancellationPolicy, ListingFact, ListingPublished, ListingSnapshot, ListingStatus
from nexus_contracts.money import Money
from nexus_kit.testing import Service, from_service, signed_in
from sqlalchemy import text

from tests.bookings.neighbours import Neighbours

T = TypeVar("T")

Json = dict[str, Any]
ARRIVAL = datetime.now(UTC).date() + timedelta(days=30)


def birr(amount: int) -> Money:
    """Minor units of ETB."""
    return Money(amount=amount, currency="ETB")


def snapshot(**changes: Any) -> ListingSnapshot:
    """A listing that anybody may book at once for 4,500 birr a night."""
    usual = ListingSnapshot(
        id=uuid4(),
        version=1,
        host_id=uuid4(),
        status=ListingStatus.PUBLISHED,
        title="Lakeside cabin",
        timezone="Africa/Addis_Ababa",
        price=birr(450_000),
        cleaning_fee=birr(50_000),
        capacity=4,
        units=1,
        min_nights=1,
        max_nights=30,
        instant_book=True,
        cancellation_policy=CancellationPolicy.FLEXIBLE,
    )
    return usual.model_copy(update=changes)


def nights_from(check_in: date, count: int) -> Json:
    """The dates of a stay."""
    return {"check_in": check_in.isoformat(), "check_out": (check_in + timedelta(days=count)).isoformat()}


def code(answer: httpx.Response) -> tuple[int, str]:
    """The status of a problem, and its code."""
    return answer.status_code, answer.json()["code"]


async def eventually(attempt: Callable[[], Awaitable[T]], seconds: float = 15) -> T:
    """Await `attempt` until it does not fail; its last failure when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await attempt()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.05)


@dataclass
class House:
    """The service and everybody around it."""

    service: Service
    client: httpx.AsyncClient
    neighbours: Neighbours
    provider: httpx.AsyncClient
    """The payment simulator, with its levers under /simulator."""

    # ---------------------------------------------------------------------------------------------- listings

    async def listing(self, **changes: Any) -> ListingSnapshot:
        """A listing that bookings was told of."""
        listing = snapshot(**changes)
        await self.deliver(ListingPublished(listing_id=listing.id, listing=listing))
        return listing

    async def deliver(self, fact: ListingFact) -> None:
        """As the worker does."""
        event = CloudEvent[ListingFact](
            id=uuid4(),
            source="/services/listings",
            type=fact.TYPE,
            subject=fact.subject(),
            time=datetime.now(UTC),
            sequence=fact.listing.version,
            data=fact,
        )
        answer = await self.client.post(
            "/internal/events", content=event.model_dump_json(), headers=from_service("worker", "bookings")
        )
        assert answer.status_code == 204, answer.text

    async def close_account(self, user: UUID) -> None:
        """auth tells that the user is gone."""
        event = CloudEvent[UserDeleted](
            id=uuid4(),
            source="/services/auth",
            type=UserDeleted.TYPE,
            subject=user,
            time=datetime.now(UTC),
            sequence=2,
            data=UserDeleted(user_id=user),
        )
        answer = await self.client.post(
            "/internal/events", content=event.model_dump_json(), headers=from_service("worker", "bookings")
        )
        assert answer.status_code == 204, answer.text

    async def calendar(self, listing: ListingSnapshot, first: date = ARRIVAL, days: int = 2) -> list[int]:
        """Free units, night by night."""
        period = {"from": first.isoformat(), "to": (first + timedelta(days=days)).isoformat()}
        answer = await self.client.get(f"/api/v1/availability/{listing.id}", params=period)
        assert answer.status_code == 200, answer.text
        return [night["free_units"] for night in answer.json()["items"]]

    # ---------------------------------------------------------------------------------------------- bookings

    async def ask_quote(self, listing_id: UUID, guest: UUID | None = None, **wish: Any) -> httpx.Response:
        """POST /quotes, by default for two nights and two guests."""
        body = {"listing_id": str(listing_id), **nights_from(ARRIVAL, 2), "guests": 2, **wish}
        return await self.client.post("/api/v1/quotes", json=body, headers=signed_in(guest))

    async def quote(self, listing: ListingSnapshot, guest: UUID, **wish: Any) -> Json:
        """A quote."""
        return succeeded(await self.ask_quote(listing.id, guest, **wish))

    async def ask_booking(self, quote_id: str, guest: UUID, key: str | None = None) -> httpx.Response:
        """POST /bookings."""
        headers = {**signed_in(guest), "Idempotency-Key": key or str(uuid4())}
        return await self.client.post("/api/v1/bookings", json={"quote_id": quote_id}, headers=headers)

    async def book(self, listing: ListingSnapshot, guest: UUID, **wish: Any) -> Json:
        """A booking of two nights."""
        quote = await self.quote(listing, guest, **wish)
        return succeeded(await self.ask_booking(quote["id"], guest))

    async def read(self, booking: Json) -> Json:
        """The booking as its guest sees it now."""
        answer = await self.client.get(
            f"/api/v1/bookings/{booking['id']}", headers=signed_in(UUID(booking["guest_id"]))
        )
        return succeeded(answer)

    async def act(self, booking: Json, verb: str, user: UUID | str, key: str | None = None) -> httpx.Response:
        """POST /bookings/{id}/{verb}."""
        headers = {**signed_in(UUID(str(user))), "Idempotency-Key": key or str(uuid4())}
        return await self.client.post(f"/api/v1/bookings/{booking['id']}/{verb}", headers=headers)

    async def becomes(self, booking: Json, status: str) -> Json:
        """The booking, once it has this status."""

        async def look() -> Json:
            found = await self.read(booking)
            assert found["status"] == status
            return found

        return await eventually(look)

    # ---------------------------------------------------------------------------------------------- payments

    async def pay(self, booking: Json, **how: Any) -> Json:
        """A payment whose page is open."""
        return succeeded(await self.act(booking, "payments", booking["guest_id"], **how))

    async def sell(self, listing: ListingSnapshot | None = None, **wish: Any) -> tuple[Json, Json]:
        """A confirmed booking, and the payment that bought it."""
        booking = await self.book(listing or await self.listing(), uuid4(), **wish)
        payment = await self.pay(booking)
        await self.press(payment)
        return await self.becomes(booking, "confirmed"), payment

    async def finish(self, booking: Json) -> None:
        """Let the stay be over."""
        await self.execute("UPDATE bookings SET ends_at = now() WHERE id = :id", id=UUID(booking["id"]))
        await self.becomes(booking, "completed")

    async def tx_ref(self, payment: Json) -> str:
        """Its name at the provider."""
        found: str = await self.value("SELECT tx_ref FROM payments WHERE id = :id", id=UUID(payment["id"]))
        return found

    async def press(self, payment: Json, button: str = "pay") -> None:
        """Press a button of the provider's page."""
        answer = await self.provider.post(f"/simulator/transactions/{await self.tx_ref(payment)}/{button}")
        assert answer.status_code == 200, answer.text

    async def behave(self, **behaviour: Any) -> None:
        """Have the provider misbehave."""
        answer = await self.provider.post("/simulator/behaviour", json=behaviour)
        assert answer.status_code == 200, answer.text

    async def transaction(self, payment: Json) -> Json:
        """What the provider knows of a payment."""
        tx_ref = await self.tx_ref(payment)
        transactions = (await self.provider.get("/simulator/transactions")).json()
        return next(each for each in transactions if each["tx_ref"] == tx_ref)

    async def payment_becomes(self, payment: Json, status: str) -> None:
        """Wait until the payment has this status."""

        async def look() -> None:
            found = await self.value("SELECT status FROM payments WHERE id = :id", id=UUID(payment["id"]))
            assert found == status

        await eventually(look)

    # ---------------------------------------------------------------------------------------------- behind the scenes

    async def value(self, query: str, **parameters: Any) -> Any:
        """One value from the database."""
        async with self.service.database.unit_of_work() as session:
            return await session.scalar(text(query), parameters)

    async def execute(self, statement: str, **parameters: Any) -> None:
        """Make time pass, or the impossible happen."""
        async with self.service.database.unit_of_work() as session:
            await session.execute(text(statement), parameters)

    async def waits_for_a_lock(self, transactions: int) -> None:
        """So many wait for their turn with a listing's nights."""
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        assert await self.value(waiting) == transactions

    async def overdue(self, booking: Json) -> None:
        """Let the booking's deadline pass."""
        statement = "UPDATE bookings SET expires_at = now() - interval '1 second' WHERE id = :id"
        await self.execute(statement, id=UUID(booking["id"]))

    async def facts(self, kind: type[Event], subject: Any = None) -> list[CloudEvent[Any]]:
        """The facts of one kind, oldest first, of one subject if it is named."""
        published = await self.service.published()
        return [each for each in published if each.type == kind.TYPE and subject in (None, str(each.subject))]


def succeeded(answer: httpx.Response) -> Json:
    """The body of a success."""
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    body: Json = answer.json()
    return body
