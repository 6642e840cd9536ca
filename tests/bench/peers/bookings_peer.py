"""The peer: the same quote and booking by Django REST framework, on tables of its own in the same PostgreSQL. Run by
gunicorn.

Equal to ours: the access token and its session (`peer_tokens`); every rule, the price and the cancellation terms
(`bookings_peer_rules`); the same members in both answers, which `booking.py` compares before it measures. A booking is
one transaction: the answer that its `Idempotency-Key` may have; the guest's valid quote, unused; nights (one row each,
the lowest free unit, under the same primary key); who comes first on the waiting list; the version of the listing's
nights; a line of the timeline; the events `nights.changed` and `booking.held`, with the same data, in the outbox; the
answer. `bookings_peer_worker` relays the events and applies them.

Where it does less than ours: one statement reads quote, listing and whether the quote is used, and locks the listing's
row (`select_for_update`), where ours also claims the key and the listing by advisory locks; the version of the nights
is a column of that row, not a row of its own; both events are one `INSERT`; a lock that does not come within 2 s is an
error, not tried again; a retry under the same key waits for that lock instead of being told at once that the first is
running; a quote cannot be for a change of a booking; no trace context, metrics or line in a log for each request. Where
it does more: free nights are read by one statement and written by another, and Django builds the SQL of each statement
each time. Deadlines follow the application's clock here, and the database's there.
"""

import hashlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import wraps

from bookings_peer_models import Answer, Booking, Event, Listing, Move, Night, Quote, WaitingEntry
from bookings_peer_rules import Conflict, Refused, instant, money, nights_of, price, refuse, refuse_unbookable, terms
from django.core.wsgi import get_wsgi_application
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef
from django.http import HttpResponse
from django.urls import path
from peer_tokens import AccessToken, SignedIn, Verified
from rest_framework import exceptions, serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

HOLD, TO_ANSWER, VALID, KEPT = (timedelta(minutes=15), timedelta(hours=24), timedelta(minutes=30), timedelta(hours=24))
HOST_ONLY = ("host_fee", "host_payout")
CONFLICTS = {
    "peer_nights_pkey": Conflict("Somebody else holds at least one of these nights.", "dates_unavailable"),
    "peer_bookings_quote_id_key": Conflict("This quote is booked already.", "quote_used"),
    "peer_idempotency_keys_pkey": Conflict("A request with this key is still running.", "idempotency_in_progress"),
}


class Body(serializers.Serializer):
    def validate(self, wish):
        if unknown := self.initial_data.keys() - self.fields.keys():
            raise serializers.ValidationError(dict.fromkeys(unknown, "There is no such field."))
        return wish


class NewQuote(Body):
    listing_id = serializers.UUIDField()
    check_in = serializers.DateField(input_formats=["%Y-%m-%d"])
    check_out = serializers.DateField(input_formats=["%Y-%m-%d"])
    guests = serializers.IntegerField(min_value=1, max_value=1000)

    def validate(self, wish):
        if wish["check_out"] <= wish["check_in"]:
            raise serializers.ValidationError("check_out must be later than check_in")
        return super().validate(wish)


class NewBooking(Body):
    quote_id = serializers.UUIDField()


STAY = ("id", "listing_id", "check_in", "check_out", "timezone", "check_in_time", "check_out_time", "guests")


class QuoteOut(serializers.ModelSerializer):
    class Meta:
        model = Quote
        fields = (*STAY, "cancellation", "valid_until")

    def to_representation(self, quote):
        return {**quote.price, **super().to_representation(quote), "booking_id": None, "difference": None}


class BookingOut(serializers.ModelSerializer):
    class Meta:
        model = Booking
        fields = (
            *(*STAY, "status", "expires_at", "listing_title", "host_id", "guest_id"),
            *("cancellation", "cancelled_by", "created_at"),
        )

    def to_representation(self, booking):
        refund = None if booking.refund_amount is None else money(booking.refund_amount, booking.currency)
        lines = {name: line for name, line in booking.price.items() if name not in HOST_ONLY}
        total = money(booking.total_amount, booking.currency)
        return {**super().to_representation(booking), "total": total, "price": lines, "refund": refund}


class Api(APIView):
    authentication_classes = (AccessToken,)
    permission_classes = (SignedIn,)


class Quotes(Api):
    def post(self, request):
        wish = NewQuote(data=request.data)
        wish.is_valid(raise_exception=True)
        wish, guest_id = wish.validated_data, request.user.user_id
        listing = Listing.objects.exclude(status="draft").filter(id=wish["listing_id"]).first()
        if listing is None:
            raise exceptions.NotFound("There is no such listing.")
        refuse(listing, wish, guest_id)
        taken = Night.objects.filter(listing=listing, night__gte=wish["check_in"], night__lt=wish["check_out"])
        if any(count >= listing.units for _, count in taken.values_list("night").annotate(Count("unit"))):
            raise CONFLICTS["peer_nights_pkey"]
        quote = Quote.objects.create(
            **wish,
            guest_id=guest_id,
            timezone=listing.timezone,
            check_in_time=listing.check_in_time,
            check_out_time=listing.check_out_time,
            price=price(listing, wish),
            cancellation=terms(listing, wish["check_in"]),
            valid_until=datetime.now(UTC) + VALID,
        )
        return Response(QuoteOut(quote).data, status=201)


def once(operation):
    """In one transaction with what the view does: the answer that this key got before, or the one that it gets now."""

    def decorate(post):
        @wraps(post)
        def keyed(view, request):
            key = request.headers.get("Idempotency-Key", "")
            if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
                raise exceptions.ParseError("This call needs an Idempotency-Key.", "idempotency_key_required")
            digest = hashlib.sha256(request.path.encode() + b"\0" + request.body).digest()
            mine = {"caller": request.user.user_id, "operation": operation, "key": key}
            try:
                with transaction.atomic():
                    answer = Answer.objects.filter(**mine, created_at__gt=datetime.now(UTC) - KEPT).first()
                    if answer is None:
                        data, headers = post(view, request)
                        body = JSONRenderer().render(data).decode()
                        answer = Answer(**mine, request_hash=digest, status=201, headers=headers, body=body)
                        answer.save(force_insert=True)
                    elif bytes(answer.request_hash) != digest:
                        raise Refused("This key was used for another request.", "idempotency_key_reused")
                    else:
                        answer.headers["Idempotency-Replayed"] = "true"
            except IntegrityError as exc:
                raise CONFLICTS.get(exc.__cause__.diag.constraint_name, exc) from exc
            return HttpResponse(answer.body, "application/json", answer.status, headers=answer.headers)

        return keyed

    return decorate


class Bookings(Api):
    permission_classes = (Verified,)

    @once("POST /api/v1/bookings")
    def post(self, request):
        wish = NewBooking(data=request.data)
        wish.is_valid(raise_exception=True)
        booking = book(wish.validated_data["quote_id"], request.user.user_id, request.headers.get("X-Request-Id"))
        return BookingOut(booking).data, {"Location": f"/api/v1/bookings/{booking.id}"}


def book(quote_id, guest_id, request_id):
    now = datetime.now(UTC)
    mine = Quote.objects.filter(guest_id=guest_id).select_related("listing").select_for_update(of=("listing",))
    quote = mine.annotate(is_used=Exists(Booking.objects.filter(quote=OuterRef("id")))).filter(id=quote_id).first()
    if quote is None:
        raise exceptions.NotFound("There is no such quote.")
    if quote.valid_until <= now:
        raise Conflict("The quote is no longer valid; ask for a new one.", "quote_expired")
    if quote.is_used:
        raise CONFLICTS["peer_bookings_quote_id_key"]
    listing, at_once = quote.listing, quote.listing.instant_book
    refuse_unbookable(listing, quote.check_in)
    units = free_units(listing, quote)
    begins_at = instant(quote, quote.check_in, quote.check_in_time)
    booking = Booking.objects.create(
        status="pending_payment" if at_once else "requested",
        expires_at=now + HOLD if at_once else min(now + TO_ANSWER, begins_at),
        quote=quote,
        listing=listing,
        listing_title=listing.title,
        host_id=listing.host_id,
        guest_id=quote.guest_id,
        ends_at=instant(quote, quote.check_out, quote.check_out_time),
        total_amount=quote.price["total"]["amount"],
        currency=quote.price["total"]["currency"],
        **{name: getattr(quote, name) for name in ("price", "cancellation", *STAY[2:])},
    )
    Night.objects.bulk_create(
        Night(listing=listing, night=night, unit=unit, booking=booking) for night, (unit, _) in units.items()
    )
    refuse_before_others(listing, booking)
    tell(booking, listing, [night for night, (_, is_last) in units.items() if is_last], request_id)
    return booking


def free_units(listing, stay):
    """Of each night the lowest free unit, and whether it is the last."""
    taken = defaultdict(set)
    theirs = Night.objects.filter(listing=listing, night__gte=stay.check_in, night__lt=stay.check_out)
    for night, unit in theirs.values_list("night", "unit"):
        taken[night].add(unit)
    if any(len(units) >= listing.units for units in taken.values()):
        raise CONFLICTS["peer_nights_pkey"]
    return {
        night: (
            next(unit for unit in range(1, listing.units + 1) if unit not in taken[night]),
            len(taken[night]) + 1 == listing.units,
        )
        for night in nights_of(stay.check_in, stay.check_out)
    }


def refuse_before_others(listing, booking):
    """Whoever is due on the waiting list for nights that became free comes first."""
    line = WaitingEntry.objects.filter(listing=listing)
    due = line.filter(due=True, check_in__lt=booking.check_out, check_out__gt=booking.check_in)
    ahead = list(due.exclude(guest_id=booking.guest_id))
    if not ahead:
        return
    same = line.filter(guest_id=booking.guest_id, check_in=booking.check_in, check_out=booking.check_out)
    first = same.filter(status="waiting").order_by("id").values_list("id", flat=True).first()
    new = set(nights_of(booking.check_in, booking.check_out))
    counts = defaultdict(int)
    span = (min(each.check_in for each in ahead), max(each.check_out for each in ahead))
    theirs = Night.objects.filter(listing=listing, night__gte=span[0], night__lt=span[1]).exclude(booking=booking)
    for night in theirs.values_list("night", flat=True):
        counts[night] += 1
    wanted = defaultdict(int)
    for entry in ahead:
        nights = nights_of(entry.check_in, entry.check_out)
        if (first is None or entry.id < first) and all(counts[night] < listing.units for night in nights):
            for night in new.intersection(nights):
                wanted[night] += 1
    if any(wanted[night] > listing.units - counts[night] - 1 for night in new):
        raise CONFLICTS["peer_nights_pkey"]


def tell(booking, listing, sold_out, request_id):
    """A line of the timeline, and two events: nights that were sold out, and the booking."""
    what = "held" if booking.status == "pending_payment" else "requested"
    Move.objects.bulk_create(
        [Move(booking=booking, version=booking.version, what=what, status=booking.status, by="guest")]
    )
    events = []
    if sold_out:
        listing.nights_version += 1
        listing.save(update_fields=["nights_version"])
        data = {"listing_id": listing.id, "sold_out": sold_out, "freed": []}
        events.append(("nights.changed", listing.id, listing.nights_version, data))
    facts = ("listing_id", "listing_title", "guest_id", "host_id", "check_in", "check_out", "timezone", "guests")
    data = {
        "booking_id": booking.id,
        **{name: getattr(booking, name) for name in facts},
        "total": money(booking.total_amount, booking.currency),
        "expires_at": booking.expires_at,
    }
    events.append((f"booking.{what}", booking.id, booking.version, data))
    Event.objects.bulk_create(
        Event(type=f"nexus.bookings.{type_}.v1", subject=subject, sequence=sequence, data=data, request_id=request_id)
        for type_, subject, sequence, data in events
    )


urlpatterns = [
    path("api/v1/quotes", Quotes.as_view()),
    path("api/v1/bookings", Bookings.as_view()),
    path("ready", lambda _: HttpResponse()),
]
application = get_wsgi_application()
