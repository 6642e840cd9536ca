"""The peer: the same page of listings by Django REST framework, on the same PostgreSQL and Valkey. Run by gunicorn.

`peer_settings.py` and `peer_tokens.py` say what it is given; its cache is Django's own, per view. A card has the fields
that ours has.
"""

import django

django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - Django must be set up first
from django.db import models  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.decorators import method_decorator  # noqa: E402
from django.views.decorators.cache import cache_page  # noqa: E402
from peer_tokens import AccessToken, SignedIn  # noqa: E402
from rest_framework import generics, pagination, serializers  # noqa: E402


class Listing(models.Model):
    id = models.UUIDField(primary_key=True)
    host_id = models.UUIDField()
    status = models.TextField()
    title = models.TextField()
    category = models.TextField()
    city = models.TextField()
    country = models.TextField()
    latitude = models.FloatField()
    longitude = models.FloatField()
    currency = models.TextField()
    price_amount = models.BigIntegerField()
    capacity = models.IntegerField()
    instant_book = models.BooleanField()
    rating = models.FloatField(null=True)
    reviews = models.IntegerField()
    photos = models.JSONField()
    published_at = models.DateTimeField()

    class Meta:
        app_label = "peer"
        managed = False
        db_table = "listings"


class Card(serializers.ModelSerializer):
    price = serializers.SerializerMethodField()
    cover = serializers.SerializerMethodField()

    class Meta:
        model = Listing
        fields = (
            *("id", "host_id", "title", "category", "city", "country", "latitude", "longitude", "price"),
            *("capacity", "instant_book", "rating", "reviews", "cover", "published_at"),
        )

    def get_price(self, listing):
        return {"amount": listing.price_amount, "currency": listing.currency}

    def get_cover(self, listing):
        return listing.photos[0] if listing.photos else None


class Pages(pagination.CursorPagination):
    page_size = 20
    ordering = ("-published_at", "-id")


class Listings(generics.ListAPIView):
    authentication_classes = (AccessToken,)
    permission_classes = (SignedIn,)
    serializer_class = Card
    pagination_class = Pages
    queryset = Listing.objects.filter(status="published")

    def filter_queryset(self, queryset):
        max_price = self.request.query_params.get("max_price")
        return queryset if max_price is None else queryset.filter(price_amount__lte=int(max_price))


# On the handler, not on `dispatch`: there it would answer before anybody has looked at the token.
@method_decorator(cache_page(60), name="get")
class CachedListings(Listings):
    pass


urlpatterns = [
    path("ready", lambda _: HttpResponse()),
    path("cached/listings", CachedListings.as_view()),
    path("uncached/listings", Listings.as_view()),
]
application = get_wsgi_application()
