"""What other services hear of a listing: every change since it was published, and the same when they ask."""

from uuid import UUID, uuid4

import httpx
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.testing import Service, from_service, signed_in

from tests.listings.given import API, COMPLETE, a_draft, a_listing, change, user_is_deleted


async def test_each_move_of_a_listing_is_a_fact_with_its_version(service: Service, host: httpx.AsyncClient) -> None:
    listing = await a_listing(host)
    address = f"{API}/listings/{listing['id']}"

    await change(host, listing["id"], title="Renamed")
    await host.post(f"{address}/unpublish")
    await change(host, listing["id"], units=3)
    await host.delete(address)

    facts = await service.published()
    assert [(fact.type.split(".")[3], fact.sequence, fact.data.listing.version) for fact in facts] == [
        ("published", 2, 2),
        ("updated", 3, 3),
        ("unpublished", 4, 4),
        ("updated", 5, 5),
        ("deleted", 6, 6),
    ]
    assert [fact.data.listing.status for fact in facts] == [
        *("published", "published", "unpublished", "unpublished", "archived"),
    ]
    assert {fact.subject for fact in facts} == {UUID(listing["id"])}
    assert facts[1].data.listing.title == "Renamed"


async def test_drafts_are_nobodys_business(service: Service, host: httpx.AsyncClient) -> None:
    draft = await a_draft(host)
    await change(host, draft["id"], title="Renamed")
    await host.delete(f"{API}/listings/{draft['id']}")

    assert await service.published() == []


async def test_what_was_refused_is_not_announced(service: Service, host: httpx.AsyncClient) -> None:
    listing = await a_listing(host)

    await change(host, listing["id"], min_nights=9, max_nights=8)
    await host.post(f"{API}/listings/{listing['id']}/publish")

    assert len(await service.published()) == 1


async def test_bookings_may_ask_for_what_the_facts_carry(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient, host_id: UUID
) -> None:
    listing = await a_listing(host, units=2)
    draft = await a_draft(host)
    client.headers.update(from_service("bookings", "listings"))

    answer = await client.get(f"/internal/listings/{listing['id']}")

    snapshot = ListingSnapshot.model_validate_json(answer.content)
    assert snapshot == (await service.published())[0].data.listing
    assert (snapshot.host_id, snapshot.units, snapshot.price.amount) == (host_id, 2, COMPLETE["price"]["amount"])
    assert (await client.get(f"/internal/listings/{draft['id']}")).status_code == 404
    assert (await client.get(f"/internal/listings/{uuid4()}")).status_code == 404


async def test_the_internal_address_is_for_services_only(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    listing = await a_listing(host)

    as_user = await client.get(f"/internal/listings/{listing['id']}", headers=signed_in())

    assert as_user.status_code == 401


async def test_the_listings_of_a_deleted_user_are_announced_as_deleted(
    service: Service, host: httpx.AsyncClient, host_id: UUID
) -> None:
    published = [await a_listing(host) for _ in range(2)]
    await a_draft(host)

    await user_is_deleted(service, host_id)

    facts = [fact for fact in await service.published() if fact.type.endswith("deleted.v1")]
    assert {str(fact.subject) for fact in facts} == {listing["id"] for listing in published}
