"""What a stay costs and why it is refused, as `nexus_bookings.pricing`, `cancellation` and `quotes.service` have it.

The host's rates by date are read by the contract's own `Rates`; everything else is plain integers and dates.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from nexus_contracts.rates import Rates
from rest_framework import exceptions

SERVICE_FEE, TAX, HOST_FEE = 10, 15, 3
MOST_NIGHTS, MOST_DAYS_AHEAD = 365, 730
POLICIES = {
    "flexible": ((1, 100), (0, 50)),
    "moderate": ((5, 100), (1, 50)),
    "strict": ((14, 100), (7, 50)),
}


class Refused(exceptions.APIException):
    status_code = 422


class Conflict(exceptions.APIException):
    status_code = 409


def refuse(listing, wish, guest_id):
    check_in, check_out = wish["check_in"], wish["check_out"]
    days = min(listing.booking_window_days, MOST_DAYS_AHEAD)
    if check_in > today(listing) + timedelta(days=days):
        raise Refused(f"Check-in may be at most {days} days from now.", "booking_window")
    refuse_unbookable(listing, check_in)
    if str(listing.host_id) == guest_id:
        raise exceptions.PermissionDenied("A host cannot book their own listing.", "own_listing")
    if wish["guests"] > listing.capacity:
        raise Refused(f"At most {listing.capacity} guests.", "too_many_guests")
    rates = Rates.model_validate(listing.rates)
    on_arrival, on_departure = rates.on(check_in), rates.on(check_out)
    shortest = on_arrival.min_nights or listing.min_nights
    longest = min(on_arrival.max_nights or listing.max_nights, MOST_NIGHTS)
    notice = timedelta(hours=listing.advance_notice_hours)
    if notice and instant(listing, check_in, listing.check_in_time) < datetime.now(UTC) + notice:
        raise Refused(f"At least {listing.advance_notice_hours} hours before check-in.", "advance_notice")
    length = (check_out - check_in).days
    if length < shortest:
        raise Refused(f"At least {shortest} nights.", "minimum_stay")
    if length > longest:
        raise Refused(f"At most {longest} nights.", "maximum_stay")
    if on_arrival.closed_to_arrival:
        raise Refused(f"No stay begins on {check_in}.", "closed_to_arrival")
    if on_departure.closed_to_departure:
        raise Refused(f"No stay ends on {check_out}.", "closed_to_departure")


def refuse_unbookable(listing, check_in):
    if listing.status != "published":
        raise Conflict("The host does not offer this listing at present.", "listing_not_bookable")
    begun = not listing.instant_book and instant(listing, check_in, listing.check_in_time) <= datetime.now(UTC)
    if check_in < today(listing) or begun:
        raise Refused("Check-in is over where the listing is.", "check_in_past")


def price(listing, wish):
    rates = Rates.model_validate(listing.rates)
    nights = [_night(listing, rates, night) for night in nights_of(wish["check_in"], wish["check_out"])]
    accommodation = sum(night["price"]["amount"] for night in nights)
    reached = [each for each in listing.length_discounts if each["nights"] <= len(nights)]
    percent = max(reached, key=lambda each: each["nights"])["percent"] if reached else 0
    length_discount = _percent_of(accommodation, percent)
    extra_guests = 0
    if listing.included_guests is not None and listing.extra_guest_fee is not None:
        extra_guests = max(wish["guests"] - listing.included_guests, 0) * listing.extra_guest_fee * len(nights)
    asked = accommodation - length_discount + extra_guests + listing.cleaning_fee
    service_fee, tax, host_fee = (_percent_of(asked, each) for each in (SERVICE_FEE, TAX, HOST_FEE))
    lines = {
        "accommodation": accommodation,
        "length_discount": length_discount,
        "extra_guests": extra_guests,
        "cleaning_fee": listing.cleaning_fee,
        "service_fee": service_fee,
        "tax": tax,
        "total": asked + service_fee + tax,
        "host_fee": host_fee,
        "host_payout": asked - host_fee,
    }
    amounts = {name: money(amount, listing.currency) for name, amount in lines.items()}
    return {"nights": nights, **amounts, "retained": None}


def terms(listing, check_in):
    if listing.cancellation_policy == "custom":
        begins_at = instant(listing, check_in, listing.check_in_time)
        tiers = [
            (begins_at - timedelta(hours=tier["hours_before_check_in"]), tier["refund_percent"])
            for tier in listing.cancellation_tiers
        ]
    else:
        tiers = [
            (instant(listing, check_in - timedelta(days=days), listing.check_in_time), percent)
            for days, percent in POLICIES[listing.cancellation_policy]
        ]
    return {
        "policy": listing.cancellation_policy,
        "tiers": [
            {"until": until.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "refund_percent": percent}
            for until, percent in sorted(tiers)
        ],
        "non_refundable": None,
    }


def instant(stay, day, at):
    return datetime.combine(day, at, ZoneInfo(stay.timezone)).astimezone(UTC)


def today(listing):
    return datetime.now(ZoneInfo(listing.timezone)).date()


def nights_of(check_in, check_out):
    return [check_in + timedelta(days=day) for day in range((check_out - check_in).days)]


def money(amount, currency):
    return {"amount": amount, "currency": currency}


def _night(listing, rates, night):
    special = rates.on(night).price
    usual = money(listing.price, listing.currency)
    return {"night": night.isoformat(), "price": special.model_dump() if special else usual, "special": bool(special)}


def _percent_of(amount, percent):
    return (amount * percent + 50) // 100
