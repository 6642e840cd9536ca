"""A price promised to one guest for one stay, for half an hour. Nothing in it changes after it is written."""

from datetime import date, datetime, time
from uuid import UUID

from nexus_kit.db import BigInt, CreatedAt, Document, Timestamp, Uuid7Pk
from sqlalchemy import CheckConstraint, ForeignKey, func, text
from sqlalchemy.orm import Mapped, column_property, mapped_column

from nexus_bookings.cancellation import CancellationTerms
from nexus_bookings.db import Base
from nexus_bookings.pricing import Difference, Price
from nexus_bookings.stays import Stay


class Quote(Base):
    """It holds no nights: it promises what they cost if they are still free."""

    __tablename__ = "quotes"
    __table_args__ = (
        CheckConstraint("check_out > check_in", name="dates"),
        CheckConstraint("guests >= 1", name="guests"),
        CheckConstraint("num_nonnulls(booking_id, difference_amount) IN (0, 2)", name="difference"),
    )

    id: Mapped[Uuid7Pk]
    guest_id: Mapped[UUID]
    listing_id: Mapped[UUID]
    check_in: Mapped[date]
    check_out: Mapped[date]
    timezone: Mapped[str]
    check_in_time: Mapped[time]
    check_out_time: Mapped[time]
    guests: Mapped[int]
    price: Mapped[Price] = mapped_column(Document(Price))
    cancellation: Mapped[CancellationTerms] = mapped_column(Document(CancellationTerms))
    booking_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("bookings.id", name="fk_quotes_booking_id_bookings", use_alter=True)
    )
    """The booking that it would change, which is all it is good for. None: it is for a new one."""
    difference_amount: Mapped[BigInt | None]
    """How much dearer that booking would be, in minor units; below 0: cheaper."""
    valid_until: Mapped[Timestamp] = mapped_column(server_default=text("now() + interval '30 minutes'"))
    created_at: Mapped[CreatedAt]

    as_of: Mapped[datetime] = column_property(func.now())
    """The database's clock when the row was read."""

    @property
    def is_expired(self) -> bool:
        """Whether the promise is over."""
        return self.valid_until <= self.as_of

    @property
    def difference(self) -> Difference | None:
        """What the change costs."""
        amount = self.difference_amount
        return None if amount is None else Difference.of(amount, self.price.total.currency)

    @property
    def stay(self) -> Stay:
        """The dates, with their zone and hours."""
        return Stay(self.check_in, self.check_out, self.timezone, self.check_in_time, self.check_out_time)
