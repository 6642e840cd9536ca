"""What a merchant must survive, made to happen: lost and repeated webhooks, lost answers, lies, a killed provider.

`nexus_local/payments` is the subject, steered through `/simulator/behaviour`.
"""

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.local.merchant import Merchant, checkout_url, client, eventually, misbehave, paid, sign, verified
from tests.local.simulators import WEBHOOK_SECRET, running_payment_simulator
from tests.servers import free_port


def test_a_webhook_is_repeated_until_it_is_accepted(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]
) -> None:
    del order["callback_url"]
    merchant.statuses = [500, 503]

    paid(chapa, order)

    eventually(lambda: len(merchant.about(order["tx_ref"])) == 3)
    eventually(lambda: chapa.get("/simulator/deliveries").json()[0]["due_at"] is None)
    assert len({request.raw for request in merchant.about(order["tx_ref"])}) == 1


def test_a_webhook_is_given_up_after_so_many_tries(tmp_path: Path, order: dict[str, Any]) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/webhook"
    with (
        running_payment_simulator(tmp_path, nobody, retry_seconds=0.05, attempts=3) as running,
        client(running.url) as chapa,
    ):
        paid(chapa, order)

        eventually(lambda: all(owed["due_at"] is None for owed in chapa.get("/simulator/deliveries").json()))
        tries = {owed["method"]: owed["attempts"] for owed in chapa.get("/simulator/deliveries").json()}

    assert tries == {"POST": 3, "GET": 1}


def test_a_killed_simulator_resumes_with_every_payment_and_webhook(
    tmp_path: Path, merchant: Merchant, order: dict[str, Any]
) -> None:
    with running_payment_simulator(tmp_path, f"{merchant.url}/webhook") as first:
        with client(first.url) as chapa:
            misbehave(chapa, webhooks="off")
            charge = paid(chapa, order)
        first.process.kill()
        first.process.wait()
    assert merchant.about(order["tx_ref"]) == []

    with (
        running_payment_simulator(tmp_path, f"{merchant.url}/webhook") as second,
        client(second.url) as chapa,
    ):
        assert verified(chapa, order) == charge
        assert chapa.get("/simulator/behaviour").json()["webhooks"] == "off"
        misbehave(chapa, webhooks="on")
        eventually(lambda: merchant.about(order["tx_ref"]))


def test_a_lost_answer_leaves_a_payment_that_verify_knows(chapa: httpx.Client, order: dict[str, Any]) -> None:
    misbehave(chapa, initialize="timeout")

    with pytest.raises(httpx.ReadTimeout):
        chapa.post("/v1/transaction/initialize", json=order, timeout=0.5)

    assert verified(chapa, order)["status"] == "pending"


@pytest.mark.parametrize(("fault", "status", "kind"), [("500", 500, "application/json"), ("down", 503, "text/html")])
def test_a_failing_provider_does_nothing(
    chapa: httpx.Client, order: dict[str, Any], fault: str, status: int, kind: str
) -> None:
    misbehave(chapa, initialize=fault)

    answer = chapa.post("/v1/transaction/initialize", json=order)

    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(kind)
    assert chapa.get(f"/v1/transaction/verify/{order['tx_ref']}").status_code == 404


def test_verify_may_say_that_nothing_is_paid_yet(chapa: httpx.Client, order: dict[str, Any]) -> None:
    checkout_url(chapa, order)
    misbehave(chapa, verify="not_paid")

    answer = chapa.get(f"/v1/transaction/verify/{order['tx_ref']}")

    assert answer.status_code == 404
    assert answer.json() == {"message": "Payment not paid yet", "status": None, "data": None}


def test_webhooks_can_arrive_several_times(chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]) -> None:
    misbehave(chapa, duplicate=2)

    paid(chapa, order)

    eventually(lambda: len(merchant.about(order["tx_ref"])) == 3)


def test_facts_can_be_told_wrongly(chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]) -> None:
    misbehave(chapa, amount_override="1.00", currency_override="USD", mode_override="live")

    charge = paid(chapa, order)

    [webhook] = eventually(lambda: merchant.about(order["tx_ref"]))
    assert (charge["amount"], charge["currency"], charge["mode"]) == (1, "USD", "live")
    assert (webhook.json["amount"], webhook.json["currency"], webhook.json["mode"]) == ("1.00", "USD", "live")


@pytest.mark.parametrize("signature", ["wrong", "constant"])
def test_signatures_can_be_worthless(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any], signature: str
) -> None:
    misbehave(chapa, signature=signature)

    paid(chapa, order)

    [webhook] = eventually(lambda: merchant.about(order["tx_ref"]))
    assert webhook.headers["x-chapa-signature"] != sign(webhook.raw)
    assert (webhook.headers["x-chapa-signature"] is None) == (signature == "constant")
    assert webhook.headers["chapa-signature"] == sign(WEBHOOK_SECRET.encode())


def test_webhooks_can_arrive_in_the_wrong_order(chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]) -> None:
    misbehave(chapa, webhooks="off", order="newest_first")
    checkout_url(chapa, order)
    chapa.post(f"/simulator/transactions/{order['tx_ref']}/fail").raise_for_status()
    chapa.post(f"/simulator/transactions/{order['tx_ref']}/pay").raise_for_status()

    misbehave(chapa, webhooks="on")

    eventually(lambda: len(merchant.about(order["tx_ref"])) == 2)
    events = [webhook.json["event"] for webhook in merchant.about(order["tx_ref"])]
    assert events == ["charge.success", "charge.failed/cancelled"]


def test_webhooks_can_come_late(chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]) -> None:
    misbehave(chapa, delay=1)
    started = time.monotonic()

    charge = paid(chapa, order)
    known_after = time.monotonic() - started
    eventually(lambda: merchant.about(order["tx_ref"]))

    assert charge["status"] == "success"
    assert known_after < 1 < time.monotonic() - started


@pytest.mark.parametrize(("how", "status"), [("refund", "refunded"), ("reverse", "reversed")])
def test_a_charge_can_be_returned_behind_the_merchants_back(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any], how: str, status: str
) -> None:
    paid(chapa, order)

    first = chapa.post(f"/simulator/transactions/{order['tx_ref']}/return/{how}")
    again = chapa.post(f"/simulator/transactions/{order['tx_ref']}/return/{how}")

    assert (first.status_code, again.status_code) == (200, 409)
    assert verified(chapa, order)["status"] == status
    eventually(lambda: [each.json["event"] for each in merchant.about(order["tx_ref"])][-1:] == [f"charge.{status}"])


@pytest.mark.parametrize(
    ("how", "status", "charge", "given"),
    [("give", "refunded", "refunded", "4500.50"), ("fail", "failed", "success", "0.00")],
)
def test_a_slow_refund_is_initiated_until_it_ends_once(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any], how: str, status: str, charge: str, given: str
) -> None:
    paid(chapa, order)
    misbehave(chapa, refunds="slow")
    refund = chapa.post(f"/v1/refund/{order['tx_ref']}", data={"reference": f"r-{order['tx_ref']}"}).json()["data"]
    verify, lever = f"/v1/refund/{refund['merchant_reference']}/verify", f"/simulator/refunds/{refund['ref_id']}/{how}"

    before = (chapa.get(verify).json()["data"]["status"], verified(chapa, order)["status"])
    ended = [chapa.post(lever).status_code for _ in "12"]

    assert before == ("initiated", "success")
    assert ended == [204, 409]
    assert (chapa.get(verify).json()["data"]["status"], verified(chapa, order)["status"]) == (status, charge)
    [shown] = [each for each in chapa.get("/simulator/transactions").json() if each["tx_ref"] == order["tx_ref"]]
    assert shown["refunded"] == given
    told = [each.json["event"] for each in merchant.about(order["tx_ref"])]
    assert told.count("charge.refunded") == 0 or how == "give"
    assert chapa.post("/simulator/refunds/never-seen/give").status_code == 404


def test_what_a_failed_refund_did_not_give_may_be_given_by_another(chapa: httpx.Client, order: dict[str, Any]) -> None:
    paid(chapa, order)
    misbehave(chapa, refunds="slow")
    first = chapa.post(f"/v1/refund/{order['tx_ref']}").json()["data"]
    while_it_is_open = chapa.post(f"/v1/refund/{order['tx_ref']}", data={"amount": "1.00"}).status_code
    chapa.post(f"/simulator/refunds/{first['ref_id']}/fail")
    misbehave(chapa, refunds="at_once")

    second = chapa.post(f"/v1/refund/{order['tx_ref']}").json()["data"]

    assert while_it_is_open == 400
    assert second["amount"] == 4500.5
    assert verified(chapa, order)["status"] == "refunded"


def test_the_refunds_of_an_older_simulator_are_known(tmp_path: Path, order: dict[str, Any]) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/webhook"
    with running_payment_simulator(tmp_path, nobody) as running, client(running.url) as chapa:
        paid(chapa, order)
        refund = chapa.post(f"/v1/refund/{order['tx_ref']}").json()["data"]
    with contextlib.closing(sqlite3.connect(tmp_path / "payments.sqlite3")) as older:
        older.execute("ALTER TABLE refunds DROP COLUMN status")

    with running_payment_simulator(tmp_path, nobody) as running, client(running.url) as chapa:
        assert chapa.get(f"/v1/refund/{refund['ref_id']}/verify").json()["data"]["status"] == "refunded"


def test_an_unknown_switch_is_refused(chapa: httpx.Client) -> None:
    assert chapa.post("/simulator/behaviour", json={"webhook": "off"}).status_code == 422
