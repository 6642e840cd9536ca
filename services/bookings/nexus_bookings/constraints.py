"""What a client is told when the database refuses a row, by the constraint's name."""

from nexus_kit.errors import Problem

from nexus_bookings.nights.service import DatesUnavailable
from nexus_bookings.quotes.service import OwnListing, QuoteUsed

CONSTRAINTS: dict[str, type[Problem]] = {
    "uq_bookings_quote_id": QuoteUsed,
    "uq_booking_changes_quote_id": QuoteUsed,
    "pk_nights": DatesUnavailable,
    "ck_bookings_parties": OwnListing,
}
