"""The tables of the bookings peer: those of nexus_bookings that a booking touches, with the same keys and indexes.

`python -m bookings_peer_models` makes them. Listings are rows here, not copies, so that `select_for_update` has
something to lock.
"""

import django
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.db.models.functions import Now

django.setup()


class Uuid7(models.Func):
    function = "uuidv7"
    output_field = models.UUIDField()


class Row(models.Model):
    id = models.UUIDField(primary_key=True, db_default=Uuid7())

    class Meta:
        abstract = True
        app_label = "peer"


class Listing(Row):
    host_id = models.UUIDField()
    status = models.TextField()
    title = models.TextField()
    timezone = models.TextField()
    currency = models.CharField(max_length=3)
    price = models.BigIntegerField()
    cleaning_fee = models.BigIntegerField()
    capacity = models.IntegerField()
    units = models.IntegerField()
    min_nights = models.IntegerField()
    max_nights = models.IntegerField()
    instant_book = models.BooleanField()
    cancellation_policy = models.TextField()
    cancellation_tiers = models.JSONField(default=list)
    rates = models.JSONField(default=dict)
    length_discounts = models.JSONField(default=list)
    included_guests = models.IntegerField(null=True)
    extra_guest_fee = models.BigIntegerField(null=True)
    advance_notice_hours = models.IntegerField()
    booking_window_days = models.IntegerField()
    check_in_time = models.TimeField()
    check_out_time = models.TimeField()
    nights_version = models.IntegerField(default=0)

    class Meta(Row.Meta):
        db_table = "peer_listings"


class Stay(Row):
    listing = models.ForeignKey(Listing, models.CASCADE, db_constraint=False, db_index=False)
    guest_id = models.UUIDField()
    check_in = models.DateField()
    check_out = models.DateField()
    timezone = models.TextField()
    check_in_time = models.TimeField()
    check_out_time = models.TimeField()
    guests = models.IntegerField()
    price = models.JSONField()
    cancellation = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta(Row.Meta):
        abstract = True

    @property
    def length(self):
        return (self.check_out - self.check_in).days


class Quote(Stay):
    valid_until = models.DateTimeField()

    class Meta(Stay.Meta):
        db_table = "peer_quotes"


class Booking(Stay):
    version = models.IntegerField(default=1)
    status = models.TextField()
    quote = models.OneToOneField(Quote, models.CASCADE)
    listing_title = models.TextField()
    host_id = models.UUIDField()
    ends_at = models.DateTimeField()
    total_amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    expires_at = models.DateTimeField(null=True)
    cancelled_by = models.TextField(null=True)
    refund_amount = models.BigIntegerField(null=True)

    class Meta(Stay.Meta):
        db_table = "peer_bookings"
        indexes = (
            models.Index(fields=("guest_id", "id"), name="peer_bookings_guest"),
            models.Index(fields=("host_id", "id"), name="peer_bookings_host"),
            models.Index(
                fields=("expires_at",), name="peer_bookings_expire", condition=models.Q(expires_at__isnull=False)
            ),
            models.Index(fields=("ends_at",), name="peer_bookings_end", condition=models.Q(status="confirmed")),
        )


class Night(models.Model):
    pk = models.CompositePrimaryKey("listing_id", "night", "unit")
    listing = models.ForeignKey(Listing, models.CASCADE, db_constraint=False, db_index=False)
    night = models.DateField()
    unit = models.IntegerField()
    booking = models.ForeignKey(Booking, models.CASCADE)

    class Meta:
        app_label = "peer"
        db_table = "peer_nights"


class WaitingEntry(Row):
    listing = models.ForeignKey(Listing, models.CASCADE, db_constraint=False, db_index=False)
    guest_id = models.UUIDField()
    check_in = models.DateField()
    check_out = models.DateField()
    status = models.TextField()
    due = models.BooleanField(default=False)

    class Meta(Row.Meta):
        db_table = "peer_waiting_entries"
        indexes = (
            models.Index(fields=("listing", "id"), name="peer_waiting", condition=models.Q(status="waiting")),
            models.Index(fields=("listing", "id"), name="peer_waiting_due", condition=models.Q(due=True)),
        )


class Move(models.Model):
    pk = models.CompositePrimaryKey("booking_id", "version")
    booking = models.ForeignKey(Booking, models.CASCADE, db_index=False)
    version = models.IntegerField()
    what = models.TextField()
    status = models.TextField()
    by = models.TextField()
    why = models.TextField(null=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "peer"
        db_table = "peer_booking_moves"


class Event(models.Model):
    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(db_default=Uuid7())
    type = models.TextField()
    subject = models.UUIDField()
    sequence = models.IntegerField()
    time = models.DateTimeField(db_default=Now())
    data = models.JSONField(encoder=DjangoJSONEncoder)
    request_id = models.TextField(null=True)
    published_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "peer"
        db_table = "peer_outbox"
        indexes = (
            models.Index(fields=("id",), name="peer_unpublished", condition=models.Q(published_at__isnull=True)),
            models.Index(
                fields=("published_at",), name="peer_published", condition=models.Q(published_at__isnull=False)
            ),
        )


class Answer(models.Model):
    pk = models.CompositePrimaryKey("caller", "operation", "key")
    caller = models.UUIDField()
    operation = models.TextField()
    key = models.TextField()
    request_hash = models.BinaryField()
    status = models.SmallIntegerField()
    headers = models.JSONField()
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        app_label = "peer"
        db_table = "peer_idempotency_keys"


class Received(models.Model):
    pk = models.CompositePrimaryKey("consumer", "event_id")
    consumer = models.TextField()
    event_id = models.UUIDField()
    received_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        app_label = "peer"
        db_table = "peer_inbox"


class SoldOutNight(models.Model):
    pk = models.CompositePrimaryKey("listing_id", "night")
    listing_id = models.UUIDField()
    night = models.DateField()
    sold_out = models.BooleanField()
    sequence = models.IntegerField()

    class Meta:
        app_label = "peer"
        db_table = "peer_sold_out_nights"


if __name__ == "__main__":
    with connection.schema_editor() as editor:
        for model in (Listing, Quote, Booking, Night, WaitingEntry, Move, Event, Answer, Received, SoldOutNight):
            editor.create_model(model)
