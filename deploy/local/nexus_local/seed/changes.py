"""Lets the demo guest change two bookings and wait for nights that the demo host has closed, as far as it is missing.

`command.py` calls `make_changes`, after the bookings are there.
"""

from nexus_local.seed.bookings import WEEKS, Json, Scene, scene_of, stay_in
from nexus_local.suite import Suite

FAR_AHEAD = WEEKS.stop + 1
"""The week that the host keeps for family: nobody books so far ahead."""


async def make_changes(suite: Suite) -> None:
    """A changed booking, one whose change the host has not answered, closed nights, and somebody who waits for them."""
    async with scene_of(suite) as scene:
        made = {change["status"] for change in await _changes(scene)}
        if "applied" not in made:
            await _change_a_booking(scene)
        if "requested" not in made:
            await _ask_for_a_change(scene)
        if not (await scene.guest.get("/waiting-list", limit=1))["items"]:
            await _wait_for_closed_nights(scene)
    print("a changed booking, a change to answer, and somebody who waits are there")


async def _changes(scene: Scene) -> list[Json]:
    confirmed = (await scene.guest.get("/bookings", status="confirmed", limit=100))["items"]
    return [each for booking in confirmed for each in (await scene.guest.get(_path(booking)))["items"]]


async def _change_a_booking(scene: Scene) -> None:
    """To the same days of another week, so nothing is to pay: where hosts need not answer, it is done at once."""
    at_once = {listing["id"]: listing for listing in scene.at_once}
    confirmed = (await scene.guest.get("/bookings", status="confirmed", limit=100))["items"]
    booking = next((each for each in confirmed if each["listing_id"] in at_once), None) or await scene.confirmed(0)
    await scene.guest.change(at_once[booking["listing_id"]], booking)


async def _ask_for_a_change(scene: Scene) -> None:
    """Of a stay that the host has accepted: now it is for them to answer again."""
    listing = scene.on_request[-1]
    booking = await scene.guest.book(listing)
    await scene.host.post(f"/bookings/{booking['id']}/accept")
    await scene.guest.change(listing, await scene.paid(booking))


async def _wait_for_closed_nights(scene: Scene) -> None:
    """Once the host opens them again, they are offered to the guest."""
    listing = scene.at_once[-1]
    stay = stay_in(listing, FAR_AHEAD)
    period = {"from": stay["check_in"], "to": stay["check_out"]}
    await scene.host.put(f"/availability/{listing['id']}/blocks", period)
    await scene.guest.post("/waiting-list", {"listing_id": listing["id"], **stay})


def _path(booking: Json) -> str:
    return f"/bookings/{booking['id']}/changes"
