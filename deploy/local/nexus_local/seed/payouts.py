"""Gets the demo host paid for a completed stay, and lets another one wait to be paid, as far as it is missing.

`command.py` calls `make_payout`, after the bookings are there.
"""

from nexus_local.seed.bookings import person, scene_of
from nexus_local.suite import Suite

ACCOUNT = {"account_name": "Hana Alemu", "account_number": "1000123456789", "bank_code": 946}
"""At a bank of the payment simulator's, which credits it."""
SECOND_STAY = 7
"""Which of the listings: not the one of the first completed stay."""


async def make_payout(suite: Suite) -> None:
    """A payout that has arrived, and money for the next. Raises `Stopped` when the suite does not take it."""
    async with scene_of(suite) as scene, person(suite, "admin") as admin:
        is_new = not (await scene.host.get("/payouts", limit=1))["items"]
        if is_new:
            await scene.host.put("/payouts/account", ACCOUNT)
            host_id = (await scene.host.get("/auth/me"))["id"]
            payout = await admin.post("/payouts", {"host_id": host_id})
            await scene.host.becomes(payout, "paid", among="/payouts")
        balances = (await scene.host.get("/balance"))["items"]
        if not any(balance["available"]["amount"] for balance in balances):
            await scene.completed(SECOND_STAY)
    print(f"the demo host is paid{' for the first time' if is_new else ''}, and earns more")
