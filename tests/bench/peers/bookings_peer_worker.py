"""The peer's second process: publishes its outbox to a stream, and applies what it reads there to `sold_out_nights`.

In batches, as a good team would: up to 200 rows of the outbox are one read, one pipeline of XADD and one UPDATE; up to
200 entries of the stream are one transaction of inbox rows and one upsert of nights, then one new generation of cached
pages. It looks for more as soon as it is done, and 20 times a second when there is nothing. This is less than ours
does: there the outbox and the nights that search knows are in the databases of two services, with a worker between them
that has an inbox of its own and delivers over HTTP.
"""

import json
import time

from bookings_peer_models import Event, Received  # first: it sets Django up
from django.conf import settings
from django.core.cache import cache
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models.functions import Now
from redis import Redis
from redis.exceptions import ResponseError

BATCH = 200
STREAM, GROUP, CONSUMER = "peer:events", "worker", "listings"
IDLE_SECONDS = 0.05
UPSERT = """
    INSERT INTO peer_sold_out_nights AS known (listing_id, night, sold_out, sequence)
    SELECT DISTINCT ON (listing_id, night) * FROM unnest(%s::uuid[], %s::date[], %s::boolean[], %s::int[])
           AS told (listing_id, night, sold_out, sequence)
     ORDER BY listing_id, night, sequence DESC
        ON CONFLICT (listing_id, night) DO UPDATE SET sold_out = excluded.sold_out, sequence = excluded.sequence
     WHERE known.sequence < excluded.sequence
"""

redis = Redis.from_url(settings.EVENTS)


def publish():
    rows = list(Event.objects.filter(published_at__isnull=True).order_by("id")[:BATCH])
    if not rows:
        return 0
    with redis.pipeline(transaction=False) as pipeline:
        for row in rows:
            pipeline.xadd(STREAM, {"event": document(row)})
        pipeline.execute()
    Event.objects.filter(id__in=[row.id for row in rows]).update(published_at=Now())
    return len(rows)


def document(row):
    members = {
        "specversion": "1.0",
        "id": row.event_id,
        "source": "/services/bookings",
        "type": row.type,
        "subject": row.subject,
        "time": row.time,
        "datacontenttype": "application/json",
        "sequence": row.sequence,
        "requestid": row.request_id,
        "data": row.data,
    }
    return json.dumps(members, cls=DjangoJSONEncoder)


def consume():
    found = redis.xreadgroup(GROUP, CONSUMER, {STREAM: ">"}, count=BATCH)
    if not found:
        return 0
    [(_, entries)] = found
    events = [json.loads(fields[b"event"]) for _, fields in entries]
    changes = {each["id"]: each for each in events if each["type"] == "nexus.bookings.nights.changed.v1"}
    if changes:
        apply(changes)
        cache.set("listings:generation", time.time_ns(), None)
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.xack(STREAM, GROUP, *(entry_id for entry_id, _ in entries))
        pipeline.xtrim(STREAM, minid=entries[-1][0], approximate=True)
        pipeline.execute()
    return len(entries)


@transaction.atomic
def apply(changes):
    mine = Received.objects.filter(consumer=CONSUMER, event_id__in=changes)
    repeated = {str(each) for each in mine.values_list("event_id", flat=True)}
    new = [each for event_id, each in changes.items() if event_id not in repeated]
    Received.objects.bulk_create(Received(consumer=CONSUMER, event_id=each["id"]) for each in new)
    nights = [
        (each["data"]["listing_id"], night, is_full, each["sequence"])
        for each in new
        for is_full, nights in ((True, each["data"]["sold_out"]), (False, each["data"]["freed"]))
        for night in nights
    ]
    if nights:
        with connection.cursor() as cursor:
            cursor.execute(UPSERT, [list(column) for column in zip(*nights, strict=True)])


def run():
    try:
        redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    except ResponseError as exc:
        if "BUSYGROUP" not in str(exc):
            raise
    while True:
        if not publish() + consume():
            time.sleep(IDLE_SECONDS)


if __name__ == "__main__":
    run()
