"""The peer: the same booking by Django REST framework, on tables of its own in the same PostgreSQL. Run by gunicorn.

It is given every advantage that a team would give it: a persistent connection, no sessions, no authentication (a header says who books),
no middleware, JSON as its only renderer. A booking locks its listing's row (`select_for_update`), counts the nights that are taken, and
writes its nights, its event and the answer under its idempotency key in one transaction. `PEER_DATABASE`: URL. `PEER_SETUP`: makes the tables.
"""

import os
import uuid
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import django
from django.conf import settings

_database = urlsplit(os.environ["PEER_DATABASE"])

settings.configure(
    DEBUG=False,
    SECRET_KEY="only-in-benchmarks",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[],
    INSTALLED_APPS=["rest_framework"],
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": _database.hostname,
            "PORT": _database.port,
            "USER": _database.username,
            "PASSWORD": _database.password,
            "NAME": _database.path.lstrip("/"),
            "CONN_MAX_AGE": None,
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - Django must be set up first
from django.db import connection, models, transaction  # noqa: E402
from django.db.models import Count  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import exceptions, serializers  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

HOLD = timedelta(minutes=15)
VALID = timedelta(minutes=30)


class Conflict(exceptions.APIException):
    status_code = 409


class Row(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta:
        abstract = True
        app_label = "peer"


class Listing(Row):
    title = models.TextField()
    host_id = models.UUIDField()
    units = models.IntegerField()
    capacity = models.IntegerField()
    min_nights = models.IntegerField()
    max_nights = models.IntegerField()
    price = models.BigIntegerField()
    cleaning_fee = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    timezone = models.TextField()

    class Meta(Row.Meta):
        db_table = "peer_listings"


class Stay(Row):
    listing = models.ForeignKey(Listing, models.CASCADE)
    guest_id = models.UUIDField()
    check_in = models.DateField()
    check_out = models.DateField()
    guests = models.IntegerField()
    price = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(Row.Meta):
        abstract = True


class Quote(Stay):
    valid_until = models.DateTimeField()

    class Meta(Stay.Meta):
        abstract = False
        db_table = "peer_quotes"


class Booking(Stay):
    quote = models.OneToOneField(Quote, models.CASCADE)
    status = models.TextField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta(Stay.Meta):
        abstract = False
        db_table = "peer_bookings"


class Night(Row):
    listing = models.ForeignKey(Listing, models.CASCADE)
    night = models.DateField()
    unit = models.IntegerField()
    booking = models.ForeignKey(Booking, models.CASCADE)

    class Meta(Row.Meta):
        db_table = "peer_nights"
        constraints = (models.UniqueConstraint(fields=("listing", "night", "unit"), name="peer_one_unit"),)


class Event(models.Model):
    type = models.TextField()
    data = models.JSONField()
    published_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "peer"
        db_table = "peer_outbox"


class Answer(models.Model):
    caller = models.UUIDField()
    key = models.TextField()
    body = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "peer"
        db_table = "peer_answers"
        constraints = (models.UniqueConstraint(fields=("caller", "key"), name="peer_one_answer"),)


class NewQuote(serializers.Serializer):
    listing_id = serializers.UUIDField()
    check_in = serializers.DateField()
    check_out = serializers.DateField()
    guests = serializers.IntegerField(min_value=1)


class NewBooking(serializers.Serializer):
    quote_id = serializers.UUIDField()


class QuoteOut(serializers.ModelSerializer):
    class Meta:
        model = Quote
        fields = ("id", "listing_id", "check_in", "check_out", "guests", "price", "valid_until")


class BookingOut(serializers.ModelSerializer):
    listing_title = serializers.CharField(source="listing.title")

    class Meta:
        model = Booking
        fields = (
            "id",
            "status",
            "listing_id",
            "listing_title",
            "guest_id",
            "check_in",
            "check_out",
            "guests",
            "price",
            "expires_at",
        )


def sold_out(listing: Listing, check_in: date, check_out: date) -> bool:
    taken = (
        Night.objects.filter(listing=listing, night__gte=check_in, night__lt=check_out)
        .values("night")
        .annotate(count=Count("id"))
    )
    return any(each["count"] >= listing.units for each in taken)


class Quotes(APIView):
    def post(self, request):
        wish = NewQuote(data=request.data)
        wish.is_valid(raise_exception=True)
        wish = wish.validated_data
        listing = Listing.objects.get(id=wish["listing_id"])
        length = (wish["check_out"] - wish["check_in"]).days
        if not listing.min_nights <= length <= listing.max_nights or wish["guests"] > listing.capacity:
            raise exceptions.ValidationError("refused by the rules")
        if sold_out(listing, wish["check_in"], wish["check_out"]):
            raise Conflict("sold out")
        nights = [
            {"night": str(wish["check_in"] + timedelta(days=day)), "price": listing.price} for day in range(length)
        ]
        asked = listing.price * length + listing.cleaning_fee
        fees = {"service_fee": asked // 10, "tax": asked * 15 // 100, "cleaning_fee": listing.cleaning_fee}
        price = {
            "nights": nights,
            **fees,
            "total": asked + fees["service_fee"] + fees["tax"],
            "currency": listing.currency,
        }
        quote = Quote.objects.create(
            **wish, guest_id=request.headers["X-Guest"], price=price, valid_until=datetime.now(UTC) + VALID
        )
        return Response(QuoteOut(quote).data, status=201)


class Bookings(APIView):
    @transaction.atomic
    def post(self, request):
        wish = NewBooking(data=request.data)
        wish.is_valid(raise_exception=True)
        guest, key = request.headers["X-Guest"], request.headers["Idempotency-Key"]
        if answer := Answer.objects.filter(caller=guest, key=key).first():
            return Response(answer.body, status=201, headers={"Idempotency-Replayed": "true"})
        quote = Quote.objects.get(id=wish.validated_data["quote_id"], guest_id=guest)
        if quote.valid_until <= datetime.now(UTC) or Booking.objects.filter(quote=quote).exists():
            raise Conflict("expired or used")
        listing = Listing.objects.select_for_update().get(id=quote.listing_id)
        stay = (quote.check_in, quote.check_out)
        taken = {}
        for night, unit in Night.objects.filter(listing=listing, night__gte=stay[0], night__lt=stay[1]).values_list(
            "night", "unit"
        ):
            taken.setdefault(night, set()).add(unit)
        if any(len(units) >= listing.units for units in taken.values()):
            raise Conflict("sold out")
        booking = Booking.objects.create(
            quote=quote, listing=listing, guest_id=guest, check_in=quote.check_in, check_out=quote.check_out, guests=quote.guests,
            price=quote.price, status="pending_payment", expires_at=datetime.now(UTC) + HOLD,
        )  # fmt: skip
        nights = [quote.check_in + timedelta(days=day) for day in range((quote.check_out - quote.check_in).days)]
        Night.objects.bulk_create(
            Night(
                listing=listing,
                booking=booking,
                night=night,
                unit=min(set(range(1, listing.units + 1)) - taken.get(night, set())),
            )
            for night in nights
        )
        body = BookingOut(booking).data
        Event.objects.create(type="booking.held", data={"booking_id": str(booking.id)})
        Answer.objects.create(
            caller=guest,
            key=key,
            body={**body, "id": str(booking.id), "listing_id": str(listing.id), "guest_id": str(guest)},
        )
        return Response(body, status=201)


class Ready(APIView):
    def get(self, request):
        return Response({"listings": Listing.objects.count()})


urlpatterns = [
    path("api/v1/quotes", Quotes.as_view()),
    path("api/v1/bookings", Bookings.as_view()),
    path("ready", Ready.as_view()),
]
application = get_wsgi_application()

if "PEER_SETUP" in os.environ:
    with connection.schema_editor() as editor:
        for model in (Listing, Quote, Booking, Night, Event, Answer):
            editor.create_model(model)
