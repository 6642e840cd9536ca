"""Django's settings for both peers: `peer.py` names this module in `DJANGO_SETTINGS_MODULE`.

They have every advantage that a team would give them: persistent connections with prepared statements (they nearly
halve the time that the database needs), no sessions, no middleware, and JSON as the only parser and renderer.
`PEER_DATABASE`, `PEER_CACHE`, `PEER_EVENTS` (the Valkey with streams and revoked sessions): URLs. `PEER_URLS`: the
module with the addresses.
"""

import os
from urllib.parse import urlsplit

_database = urlsplit(os.environ["PEER_DATABASE"])

DEBUG = False
SECRET_KEY = "only-in-benchmarks"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = os.environ["PEER_URLS"]
MIDDLEWARE = []
INSTALLED_APPS = ["rest_framework"]
USE_TZ = True
TIME_ZONE = "UTC"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _database.hostname,
        "PORT": _database.port,
        "USER": _database.username,
        "PASSWORD": _database.password,
        "NAME": _database.path.lstrip("/"),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"options": "-c lock_timeout=2s", "server_side_binding": True, "prepare_threshold": 5},
    }
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["PEER_CACHE"]},
}
EVENTS = os.environ["PEER_EVENTS"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
    "TIME_FORMAT": "%H:%M",
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "root": {"handlers": ["stderr"]},
}
