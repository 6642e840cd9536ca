"""What happens when: every event with the reactions to it, in one table. The reader enqueues one message for each.

Each reaction runs by itself, once, in a transaction of its own, and is tried again by itself when it fails. Only the
deliveries to one service of what was read together share a message, until one of them fails.
"""

from nexus_contracts.auth import (
    EmailVerificationRequested,
    PasswordResetRequested,
    RegistrationRepeated,
    SessionRevoked,
    UserDeleted,
    UserEmailVerified,
    UserRegistered,
    UserUpdated,
)
from nexus_contracts.bookings import (
    BookingAccepted,
    BookingCancelled,
    BookingCompleted,
    BookingConfirmed,
    BookingDeclined,
    BookingExpired,
    BookingHeld,
    BookingRequested,
    CalendarConflicted,
    NightsChanged,
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    PayoutFailed,
    PayoutPaid,
)
from nexus_contracts.changes import (
    BookingChanged,
    BookingChangeDeclined,
    BookingChangeExpired,
    BookingChangeHeld,
    BookingChangeRequested,
    WaitingListOffered,
)
from nexus_contracts.envelope import Event
from nexus_contracts.listings import (
    ListingDeleted,
    ListingPublished,
    ListingUnpublished,
    ListingUpdated,
    SavedSearchMatched,
)
from nexus_contracts.photos import PhotoUploaded

from nexus_worker.deliveries import Delivery, deliver_to
from nexus_worker.job import Reaction
from nexus_worker.mail import accounts, bookings, changes, listings
from nexus_worker.photos import make_photo_sizes
from nexus_worker.revocations import refuse_session

REACTIONS: dict[type[Event], list[Reaction | Delivery]] = {
    # accounts
    EmailVerificationRequested: [accounts.mail_email_verification],
    RegistrationRepeated: [accounts.mail_registration_repeated],
    PasswordResetRequested: [accounts.mail_password_reset],
    SessionRevoked: [refuse_session],
    UserDeleted: [deliver_to("listings"), deliver_to("bookings")],
    # listings
    ListingPublished: [deliver_to("bookings")],
    ListingUpdated: [deliver_to("bookings")],
    ListingUnpublished: [deliver_to("bookings")],
    ListingDeleted: [deliver_to("bookings")],
    NightsChanged: [deliver_to("listings")],
    PhotoUploaded: [make_photo_sizes],
    SavedSearchMatched: [listings.mail_saved_search_matches],
    # bookings
    BookingRequested: [bookings.mail_host_booking_request],
    BookingAccepted: [bookings.mail_guest_booking_accepted],
    BookingDeclined: [bookings.mail_guest_booking_declined],
    BookingConfirmed: [bookings.mail_host_new_booking, bookings.mail_guest_receipt],
    BookingCancelled: [bookings.mail_host_booking_cancelled, bookings.mail_guest_booking_cancelled],
    BookingExpired: [bookings.mail_guest_booking_expired],
    BookingChangeRequested: [changes.mail_host_change_request],
    BookingChangeHeld: [changes.mail_guest_change_to_pay],
    BookingChangeDeclined: [changes.mail_guest_change_declined],
    BookingChangeExpired: [changes.mail_guest_change_expired],
    BookingChanged: [changes.mail_host_booking_changed, changes.mail_guest_booking_changed],
    WaitingListOffered: [changes.mail_guest_waiting_list_offer],
    PaymentRefunded: [bookings.mail_guest_refund],
    PayoutPaid: [bookings.mail_host_payout],
    PayoutFailed: [bookings.mail_host_payout_failed],
    CalendarConflicted: [bookings.mail_host_calendar_conflict],
}

IGNORED: dict[type[Event], str] = {
    UserRegistered: "EmailVerificationRequested follows it and is what the new user is mailed about",
    UserEmailVerified: "the user's next access token says so; nobody else keeps a copy",
    UserUpdated: "whoever shows a profile asks auth for it",
    BookingHeld: "the guest is on the payment page; the hold has told bookings all there is",
    BookingCompleted: "nobody has anything to do yet",
    PaymentSucceeded: "BookingConfirmed, or PaymentRefunded when the nights were gone, follows it and carries the news",
    PaymentFailed: "the payment page said so, and the guest may try again until BookingExpired",
}


class UnknownReaction(LookupError):
    """The message was made by another version of this table: during a deployment, a newer process will take it."""


def reaction_to(event: Event, name: str) -> Reaction | Delivery:
    """The reaction of that name to that event."""
    for reaction in REACTIONS.get(type(event), []):
        if reaction.__name__ == name:
            return reaction
    raise UnknownReaction(f"{name} is not a reaction to {event.TYPE}")
