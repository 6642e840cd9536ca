"""The mails about changes of a booking and about the waiting list. `reactions.py` names them, as in `bookings.py`."""

from nexus_contracts.changes import (
    BookingChanged,
    BookingChangeDeclined,
    BookingChangeExpired,
    BookingChangeHeld,
    BookingChangeRequested,
    WaitingListOffered,
)

from nexus_worker.job import Job
from nexus_worker.mail.sending import send


async def mail_host_change_request(job: Job[BookingChangeRequested]) -> None:
    """The guest wants other dates or guests: answer by `expires_at`."""
    await send(job, to=job.fact.host_id)


async def mail_guest_change_to_pay(job: Job[BookingChangeHeld]) -> None:
    """The difference is due by `expires_at`."""
    await send(job, to=job.fact.guest_id)


async def mail_guest_change_declined(job: Job[BookingChangeDeclined]) -> None:
    """The host said no; the booking stands."""
    await send(job, to=job.fact.guest_id)


async def mail_guest_change_expired(job: Job[BookingChangeExpired]) -> None:
    """Nobody answered or paid; the booking stands."""
    await send(job, to=job.fact.guest_id)


async def mail_host_booking_changed(job: Job[BookingChanged]) -> None:
    """What was agreed before, and what is now."""
    await send(job, to=job.fact.host_id)


async def mail_guest_booking_changed(job: Job[BookingChanged]) -> None:
    """What was agreed before, what is now, and what comes back."""
    await send(job, to=job.fact.guest_id)


async def mail_guest_waiting_list_offer(job: Job[WaitingListOffered]) -> None:
    """The nights are theirs until `expires_at`."""
    await send(job, to=job.fact.guest_id)
