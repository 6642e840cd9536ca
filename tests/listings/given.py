"""What tests start from: a complete listing, and the ways to bring listings into the service."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid7
