"""Money as it travels: an integer of minor units and its currency. Every event and every API body uses this shape."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code", examples=["ETB"])]


class Money(BaseModel):
    """An exact amount. `{"amount": 450000, "currency": "ETB"}` is 4,500.00 birr."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: int = Field(
        strict=True, description="Minor units of the currency (ISO 4217): cents, santim.", examples=[450000]
    )
    currency: Currency
