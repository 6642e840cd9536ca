"""The peer: the same page of listings by Django REST framework, on the same PostgreSQL and Valkey. Run by gunicorn.

It is given every advantage that a team would give it: the per-view cache, a persistent connection, no sessions, no middleware, and
JSON as its only renderer. Like ours it verifies the caller's access token each time, but asks nobody whether its session lives.
`PEER_DATABASE`, `PEER_CACHE`: URLs; `PEER_KEYS`: the key set of auth.
"""

import json
import os
from urllib.parse import urlsplit

import django
from django.conf import settings
from jose import JOSEError, jwk, jwt

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
    CACHES={
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["PEER_CACHE"]}
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - Django must be set up first
from django.db import models  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.decorators import method_decorator  # noqa: E402
from django.views.decorators.cache import cache_page  # noqa: E402
from rest_framework import authentication, exceptions, generics, pagination, serializers  # noqa: E402


KEYS = {each["kid"]: jwk.construct(each, "ES256") for each in json.loads(os.environ["PEER_KEYS"])["keys"]}


class AccessToken(authentication.BaseAuthentication):
    def authenticate(self, request):
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            key = KEYS[jwt.get_unverified_header(token)["kid"]]
            return jwt.decode(token, key, algorithms=["ES256"], audience="nexus")["sub"], token
        except (JOSEError, KeyError) as exc:
            raise exceptions.AuthenticationFailed from exc


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
    published_at = models.DateTimeField()

    class Meta:
        app_label = "peer"
        managed = False
        db_table = "listings"


class Card(serializers.ModelSerializer):
    price = serializers.SerializerMethodField()

    class Meta:
        model = Listing
        fields = (
            *("id", "host_id", "title", "category", "city", "country", "latitude", "longitude", "price"),
            *("capacity", "instant_book", "published_at"),
        )

    def get_price(self, listing):
        return {"amount": listing.price_amount, "currency": listing.currency}


class Pages(pagination.CursorPagination):
    page_size = 20
    ordering = ("-published_at", "-id")


class Listings(generics.ListAPIView):
    authentication_classes = (AccessToken,)
    serializer_class = Card
    pagination_class = Pages
    queryset = Listing.objects.filter(status="published")

    def filter_queryset(self, queryset):
        max_price = self.request.query_params.get("max_price")
        return queryset if max_price is None else queryset.filter(price_amount__lte=int(max_price))


# On the handler, not on `dispatch`: there it would answer before anybody has looked at the token.
@method_decorator(cache_page(300), name="get")
class CachedListings(Listings):
    pass


urlpatterns = [
    path("ready", lambda _: HttpResponse()),
    path("cached/listings", CachedListings.as_view()),
    path("uncached/listings", Listings.as_view()),
]
application = get_wsgi_application()
