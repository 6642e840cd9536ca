"""How the provider behaves: well, unless a test says otherwise.

`simulator` changes it, `chapa` and `webhooks` obey it. It is saved, so it survives a restart.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import params
from pydantic import BaseModel, ConfigDict, Field

from nexus_local.payments.context import Context, ContextDep
from nexus_local.payments.errors import ChapaError, Down
from nexus_local.payments.store import Transaction

STALL_SECONDS = 60
Call = Literal["initialize", "verify", "refund", "transfer"]
Fault = Literal["ok", "500", "timeout", "down"]
"""`500`: an error document; `down`: a proxy's HTML page; nothing is done. `timeout`: done, and answered too late."""


class Behaviour(BaseModel):
    """Every field has the honest value as its default."""

    model_config = ConfigDict(extra="forbid")

    initialize: Fault = "ok"
    verify: Literal[Fault, "not_paid"] = "ok"
    """`not_paid`: a pending transaction is answered with Chapa's older 404 `Payment not paid yet`."""
    refund: Fault = "ok"
    refunds: Literal["at_once", "slow"] = "at_once"
    """`slow`: an accepted refund stays `initiated` until `POST /simulator/refunds/{reference}/give` or `…/fail`."""
    transfer: Literal[Fault, "refused"] = "ok"
    """`refused`: no transfer to this account, whose number and name are quoted."""
    webhooks: Literal["on", "off"] = "on"
    """`off` holds webhooks and callbacks back until it is `on` again."""
    delay: Annotated[float, Field(ge=0, le=3600)] = 0
    """Seconds by which webhooks and callbacks come late."""
    order: Literal["oldest_first", "newest_first"] = "oldest_first"
    """`newest_first` turns round what is due at the same time: hold webhooks back, let things happen, let them go."""
    duplicate: Annotated[int, Field(ge=0, le=20)] = 0
    """Extra copies of every webhook, sent at the same time."""
    signature: Literal["right", "wrong", "constant"] = "right"
    """`wrong`: of another secret. `constant`: only `chapa-signature`, which does not depend on the body."""
    amount_override: Annotated[str, Field(pattern=r"^\d+\.\d\d$")] | None = None
    """The amount that `verify` and webhooks tell, as `400.00`."""
    currency_override: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    tx_ref_override: str | None = None
    mode_override: Literal["live", "test"] | None = None


def behaviour_of(context: Context) -> Behaviour:
    """The behaviour in force."""
    saved = context.store.behaviour()
    return Behaviour.model_validate_json(saved) if saved else Behaviour()


def may_fail(call: Call) -> params.Depends:
    """A dependency that breaks a call as the behaviour says."""

    async def fault(context: ContextDep) -> AsyncIterator[None]:
        mode = getattr(behaviour_of(context), call)
        if mode == "500":
            raise ChapaError(500, "Oops something went wrong and this is our issue, please report to us! Thank you :)")
        if mode == "down":
            raise Down
        yield
        if mode == "timeout":
            await asyncio.sleep(STALL_SECONDS)

    # "function": the stall comes after the work and before the answer.
    return params.Depends(fault, scope="function")


def told(transaction: Transaction, behaviour: Behaviour) -> dict[str, Any]:
    """The facts of a transaction that a misbehaving provider tells wrongly."""
    amount = transaction.amount
    if behaviour.amount_override:
        amount = int(behaviour.amount_override.replace(".", ""))
    return {
        "amount": amount,
        "currency": behaviour.currency_override or transaction.currency,
        "tx_ref": behaviour.tx_ref_override or transaction.tx_ref,
        "mode": behaviour.mode_override or "test",
    }
