"""A price promised to one guest for one stay, for half an hour. Nothing in it changes after it is written."""

from datetime import date
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.db import BigInt, CreatedAt, Timestamp, Uuid7Pk
from sqlalchemy import CheckConstraint, ColumnElement, String, func
from sqlalchemy.orm import Mapped, column_property, mapped_column

from nexus_bookings.cancellation import CancellationTerms
from nexus_bookings.db import Base, Document
from nexus_bookings.quotes.schemas import NightlyPrice
from nexus_bookings.stays import Stay


class Quote(Base):
    """Amounts are minor units of `currency`."""

    __tablename__ = "quotes"
    __table_args__ = (
        CheckConstraint("check_out > check_in", name="dates"),
        CheckConstraint("guests >= 1", name="guests"),
        CheckConstraint("least(accommodation, cleaning_fee, service_fee) >= 0", name="amounts"),
        CheckConstraint("total = accommodation + cleaning_fee + service_fee", name="total"),
    )

    id: Mapped[Uuid7Pk]
    guest_id: Mapped[UUID]
    listing_id: Mapped[UUID]
    check_in: Mapped[date]
    check_out: Mapped[date]
    timezone: Mapped[str]
    guests: Mapped[int]
    nights: Mapped[list[NightlyPrice]] = mapped_column(Document(list[NightlyPrice]))
    accommodation: Mapped[BigInt]
    """All nights together."""
    cleaning_fee: Mapped[BigInt]
    service_fee: Mapped[BigInt]
    total: Mapped[BigInt]
    currency: Mapped[str] = mapped_column(String(3))
    cancellation: Mapped[CancellationTerms] = mapped_column(Document(CancellationTerms))
    valid_until: Mapped[Timestamp]
    created_at: Mapped[CreatedAt]

    is_expired: Mapped[bool] = column_property(valid_until <= func.now())
    """By the database clock, when the row was read."""

    @property
    def stay(self) -> Stay:
        """The dates, with their zone."""
        return Stay(self.check_in, self.check_out, self.timezone)
