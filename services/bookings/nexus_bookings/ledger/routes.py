"""What a host is owed, and how it came about."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import StreamingResponse
from nexus_kit.auth import CurrentUser
from nexus_kit.db import SessionDep, UnitOfWork
from nexus_kit.errors import ValidationFailed, responses

from nexus_bookings.ledger import service
from nexus_bookings.ledger.schemas import BalanceOut

router = APIRouter(tags=["money"])


async def _first_day(
    month: Annotated[str, Path(pattern=r"^[1-9]\d{3}-(0[1-9]|1[0-2])$", description="YYYY-MM.", examples=["2026-11"])],
) -> date:
    return date.fromisoformat(f"{month}-01")


Month = Annotated[date, Depends(_first_day)]


@router.get("/balance", summary="See what you are owed")
async def balance(host: CurrentUser, session: SessionDep) -> BalanceOut:
    """Your earnings as a host, by currency: `pending` becomes `available` at check-out, and `paid_out` by a payout."""
    return BalanceOut(items=await service.balances(session, host.user_id))


@router.get(
    "/statements/{month}.csv",
    summary="Download a statement",
    response_class=StreamingResponse,
    responses={200: {"description": "RFC 4180.", "content": {"text/csv": {}}}, **responses(ValidationFailed)},
)
async def statement(month: Month, host: CurrentUser, work: UnitOfWork) -> StreamingResponse:
    """What changed what you are owed in a month (UTC), line by line, between its opening and its closing balance."""
    # Not one transaction: a page of lines is read at a time, and no connection waits for a slow reader.
    return StreamingResponse(
        service.statement(work, host.user_id, month),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="nexus-statement-{month:%Y-%m}.csv"'},
    )
