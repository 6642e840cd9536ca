"""The envelope of every event: CloudEvents 1.0 in its JSON format, and the registry of all event types.

`kit/outbox.py` fills it, `services/worker` reads it, `kit/inbox.py` receives it at `/internal/events`.
Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/cloudevents+json"
BATCH_MEDIA_TYPE = "application/cloudevents-batch+json"
"""A JSON array of events."""


class Event(BaseModel):
    """A fact, in the past tense: the `data` of a CloudEvent. A subclass names its type and its subject's field.

        class BookingConfirmed(Event, type="nexus.bookings.booking.confirmed.v1", subject="booking_id"): ...

    Within a major version changes are additive, so a consumer ignores the fields it does not know.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str]
    SUBJECT: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__()
        if "type" not in kwargs:  # a shared base, such as BookingFact
            return
        cls.TYPE, cls.SUBJECT = kwargs["type"], kwargs["subject"]
        if cls.TYPE in _REGISTRY:
            raise TypeError(f"{cls.TYPE} is declared twice")
        if cls.SUBJECT not in cls.model_fields:
            raise TypeError(f"{cls.__name__} has no field {cls.SUBJECT}")
        _REGISTRY[cls.TYPE] = cls

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Swallow the class keywords: pydantic would take them for its own configuration."""
        super().__init_subclass__()

    @classmethod
    def producer(cls) -> str:
        """The service that owns this fact: `bookings` for `nexus.bookings.booking.confirmed.v1`."""
        return cls.TYPE.split(".")[1]

    def subject(self) -> UUID:
        """The id of the aggregate that this fact is about."""
        value: UUID = getattr(self, self.SUBJECT)
        return value


_REGISTRY: dict[str, type[Event]] = {}

EventT = TypeVar("EventT", bound=Event)


class CloudEvent(BaseModel, Generic[EventT]):
    """One stream entry. `sequence` is the aggregate's version: of two events about one subject, the higher is newer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID = Field(description="UUIDv7; the same for every delivery of this event, so consumers deduplicate by it.")
    source: str = Field(examples=["/services/bookings"])
    type: str = Field(examples=["nexus.bookings.booking.confirmed.v1"])
    subject: UUID = Field(description="Id of the aggregate.")
    time: datetime = Field(description="When the fact became true (the producer's database clock).")
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: int = Field(ge=0, description="Version of the aggregate.")
    traceparent: str | None = Field(default=None, description="W3C Trace Context of the request that caused it.")
    requestid: str | None = Field(default=None, description="X-Request-Id of the request that caused it.")
    data: EventT


class UnknownEventType(ValueError):
    """No class in this package declares this type: the producer is newer than the consumer."""


def parse(document: bytes | str) -> CloudEvent[Any]:
    """Read one CloudEvent with its `data` as the class that its type names.

    Raises `UnknownEventType` for a type nobody declared, and pydantic's `ValidationError` for anything malformed.
    """
    event_class = class_of(document)
    return CloudEvent[event_class].model_validate_json(document)  # type: ignore[valid-type]


def class_of(document: bytes | str) -> type[Event]:
    """The class that the document's type names, for whom that may be enough: nothing else in it is looked at.

    Raises as `parse` does.
    """
    type_ = _Head.model_validate_json(document).type
    event_class = _REGISTRY.get(type_)
    if event_class is None:
        raise UnknownEventType(type_)
    return event_class


def all_events() -> Iterator[type[Event]]:
    """Every declared event class, ordered by type."""
    from nexus_contracts import auth, bookings, changes, listings, photos  # noqa: F401 - declaring is importing

    yield from (event for _, event in sorted(_REGISTRY.items()))


class _Head(BaseModel):
    type: str
