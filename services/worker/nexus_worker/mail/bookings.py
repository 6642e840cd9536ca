"""The mails about a booking. `reactions.py` names them; each has its folder in `templates/`, which shows `job.fact`."""

from nexus_contracts.bookings import (
    BookingAccepted,
    BookingCancelled,
    BookingConfirmed,
    BookingDeclined,
    BookingExpired,
    BookingRequested,
    CalendarConflicted,
    PaymentRefunded,
    PayoutFailed,
    PayoutPaid,
)

from nexus_worker.job import Job
from nexus_worker.mail.sending import send


async def mail_host_booking_request(job: Job[BookingRequested]) -> None:
    """Somebody wants to stay: answer by `expires_at`."""
    await send(job, to=job.fact.host_id)


async def mail_guest_booking_accepted(job: Job[BookingAccepted]) -> None:
    """The host said yes: pay by `expires_at`."""
    await send(job, to=job.fact.guest_id)


async def mail_guest_booking_declined(job: Job[BookingDeclined]) -> None:
    """The host said no; nothing was charged."""
    await send(job, to=job.fact.guest_id)


async def mail_host_new_booking(job: Job[BookingConfirmed]) -> None:
    """The nights are sold."""
    await send(job, to=job.fact.host_id)


async def mail_guest_receipt(job: Job[BookingConfirmed]) -> None:
    """What was bought, for when, for how much."""
    await send(job, to=job.fact.guest_id)


async def mail_host_booking_cancelled(job: Job[BookingCancelled]) -> None:
    """Who cancelled, and whether the nights are free again."""
    await send(job, to=job.fact.host_id)


async def mail_guest_booking_cancelled(job: Job[BookingCancelled]) -> None:
    """The stay is off, and what comes back."""
    await send(job, to=job.fact.guest_id)


async def mail_guest_booking_expired(job: Job[BookingExpired]) -> None:
    """The hold ran out; a payment may still be on its way."""
    await send(job, to=job.fact.guest_id)


async def mail_guest_refund(job: Job[PaymentRefunded]) -> None:
    """Money is on its way back."""
    await send(job, to=job.fact.guest_id)


async def mail_host_payout(job: Job[PayoutPaid]) -> None:
    """Earnings have arrived."""
    await send(job, to=job.fact.host_id)


async def mail_host_payout_failed(job: Job[PayoutFailed]) -> None:
    """Earnings could not be sent, or came back: check the bank account."""
    await send(job, to=job.fact.host_id)


async def mail_host_calendar_conflict(job: Job[CalendarConflicted]) -> None:
    """Another site sold nights that are sold here."""
    await send(job, to=job.fact.host_id)
