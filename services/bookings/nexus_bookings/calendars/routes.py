"""Calendars out (an address that other sites read) and in (others' calendars that a listing follows)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from nexus_kit.auth import CurrentUser, VerifiedUser
from nexus_kit.conditional import Conditional
from nexus_kit.db import SessionDep, UnitOfWork
from nexus_kit.errors import NotFound, UpstreamUnavailable, ValidationFailed, responses
from nexus_kit.schemas import Text

from nexus_bookings.calendars import service
from nexus_bookings.calendars.schemas import AddressOut, CalendarOut, CalendarsOut, CalendarWithLog, NewCalendar
from nexus_bookings.calendars.service import CalendarKnown, TooManyCalendars
from nexus_bookings.listings.service import with_copy
from nexus_bookings.neighbours import NeighboursDep

router = APIRouter(prefix="/calendars", tags=["calendars"])

ListingId = Annotated[UUID, Query(description="One of your listings.")]


class CalendarFile(Response):
    """What RFC 5545 says a calendar is sent as."""

    media_type = "text/calendar; charset=utf-8"


@router.get(
    "/{secret}.ics",
    summary="Read a listing's calendar",
    response_class=CalendarFile,
    responses=responses(NotFound, ValidationFailed),
)
async def read(
    secret: Annotated[Text, Path(max_length=64, description="From GET /calendars/address.")],
    session: SessionDep,
    conditions: Conditional,
) -> Response:
    """For other sites: the nights that are taken, as all-day events without names. Followed calendars are left out."""
    content, version = await service.render(session, secret)
    response = CalendarFile(content, headers={"Cache-Control": "private, max-age=0"})
    conditions.not_modified(response, version)
    return response


@router.get("/address", summary="Where others read your calendar", responses=responses(NotFound))
async def address(listing_id: ListingId, host: CurrentUser, work: UnitOfWork, neighbours: NeighboursDep) -> AddressOut:
    """The secret address of your listing's calendar. It stays the same until you change it."""
    secret = await with_copy(
        work,
        listing_id,
        neighbours.listings,
        lambda session: service.secret_of(session, listing_id, host.user_id),
    )
    return _address(neighbours.settings.public_url, secret)


@router.post("/address", summary="Change that address", responses=responses(NotFound))
async def change_address(
    listing_id: ListingId, host: CurrentUser, work: UnitOfWork, neighbours: NeighboursDep
) -> AddressOut:
    """The former address is worthless from now on; give the new one to your other sites."""
    secret = await with_copy(
        work,
        listing_id,
        neighbours.listings,
        lambda session: service.change_secret(session, listing_id, host.user_id),
    )
    return _address(neighbours.settings.public_url, secret)


@router.post(
    "",
    status_code=201,
    summary="Follow a calendar",
    responses=responses(NotFound, CalendarKnown, TooManyCalendars, ValidationFailed, UpstreamUnavailable),
)
async def follow(
    new: NewCalendar, host: VerifiedUser, work: UnitOfWork, neighbours: NeighboursDep, response: Response
) -> CalendarOut:
    """What is taken there is closed here: first within seconds, then every 15 minutes."""
    calendar = await with_copy(
        work, new.listing_id, neighbours.listings, lambda session: service.follow(session, new, host.user_id)
    )
    response.headers["Location"] = f"/api/v1/calendars/{calendar.id}"
    return CalendarOut.model_validate(calendar)


@router.get("", summary="List followed calendars", responses=responses(NotFound))
async def list_calendars(
    listing_id: ListingId, host: CurrentUser, work: UnitOfWork, neighbours: NeighboursDep
) -> CalendarsOut:
    """Those of one of your listings, oldest first."""
    calendars = await with_copy(
        work,
        listing_id,
        neighbours.listings,
        lambda session: service.followed(session, listing_id, host.user_id),
    )
    return CalendarsOut(items=[CalendarOut.model_validate(each) for each in calendars])


@router.get("/{calendar_id}", summary="Read a followed calendar and its log", responses=responses(NotFound))
async def read_log(calendar_id: UUID, host: CurrentUser, session: SessionDep) -> CalendarWithLog:
    """When it was looked at, what changed, and which of its nights are sold here as well."""
    calendar = await service.get(session, calendar_id, host.user_id)
    log = await service.log_of(session, calendar)
    return CalendarWithLog.model_validate(CalendarOut.model_validate(calendar).model_dump() | {"log": log})


@router.post("/{calendar_id}/sync", status_code=202, summary="Look at it now", responses=responses(NotFound))
async def sync(calendar_id: UUID, host: CurrentUser, session: SessionDep) -> CalendarOut:
    """Within seconds, unless that was asked for less than a minute ago."""
    return CalendarOut.model_validate(await service.hurry(session, calendar_id, host.user_id))


@router.delete("/{calendar_id}", status_code=204, summary="Follow it no more", responses=responses(NotFound))
async def unfollow(calendar_id: UUID, host: CurrentUser, session: SessionDep) -> None:
    """The nights that it closed are free again."""
    await service.unfollow(session, calendar_id, host.user_id)


def _address(public_url: str, secret: str) -> AddressOut:
    return AddressOut(url=f"{public_url}/api/v1/calendars/{secret}.ics")
