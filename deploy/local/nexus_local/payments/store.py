"""The simulator's state in one SQLite file: transactions, refunds, deliveries still to make, and the behaviour.

A write is durable when its block ends, so a killed simulator resumes where it was. Only the event loop uses it.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS transactions (
    tx_ref TEXT PRIMARY KEY, reference TEXT NOT NULL UNIQUE, token TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0), charge INTEGER NOT NULL, currency TEXT NOT NULL,
    request TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refunds (
    ref_id TEXT PRIMARY KEY, tx_ref TEXT NOT NULL REFERENCES transactions, amount INTEGER NOT NULL CHECK (amount > 0),
    reference TEXT UNIQUE, reason TEXT, meta TEXT NOT NULL, created_at TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'refunded'
) STRICT;
CREATE TABLE IF NOT EXISTS transfers (
    reference TEXT PRIMARY KEY, chapa_reference TEXT NOT NULL, status TEXT NOT NULL, account_name TEXT NOT NULL,
    account_number TEXT NOT NULL, bank_code INTEGER NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0),
    charge INTEGER NOT NULL, currency TEXT NOT NULL, created_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, method TEXT NOT NULL, url TEXT NOT NULL, body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, max_attempts INTEGER NOT NULL,
    due_at REAL, outcome TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS behaviour (id INTEGER PRIMARY KEY CHECK (id = 1), settings TEXT NOT NULL) STRICT;
"""

JsonObject = dict[str, Any]


class RefundStatus(StrEnum):
    """Of a refund, as its `verify` shows it."""

    INITIATED = "initiated"
    REFUNDED = "refunded"
    FAILED = "failed"


class Status(StrEnum):
    """Of a transaction, as `verify` shows it. Only a pending one can be paid, and only a paid one refunded."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "failed/cancelled"
    """The guest gave up on the hosted page."""
    REFUNDED = "refunded"
    """In full."""
    REVERSED = "reversed"
    """Taken back from the merchant, who did not ask for it: a chargeback."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One payment. Amounts are integers in minor units."""

    tx_ref: str
    """The merchant's reference."""
    reference: str
    """Chapa's reference."""
    token: str
    """The unguessable part of the hosted page's address."""
    status: Status
    amount: int
    charge: int
    """Chapa's fee, paid by the merchant."""
    currency: str
    request: JsonObject
    """What the merchant sent to `initialize`."""
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back. `amount` is in minor units."""

    ref_id: str
    """Chapa's reference of the refund."""
    tx_ref: str
    amount: int
    reference: str | None
    """The merchant's reference, unique among refunds."""
    reason: str | None
    meta: JsonObject
    created_at: str
    status: RefundStatus = RefundStatus.INITIATED


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money sent to a bank. Amounts are in minor units."""

    reference: str
    """The merchant's reference."""
    chapa_reference: str
    status: str
    account_name: str
    account_number: str
    bank_code: int
    amount: int
    charge: int
    """Chapa's fee, paid by the merchant besides."""
    currency: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request that the simulator owes to the merchant: a webhook (POST) or a callback (GET)."""

    method: str
    url: str
    body: str
    max_attempts: int
    id: int = 0
    attempts: int = 0


class Store:
    """The tables. Writes belong inside `atomic()`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path) -> Iterator["Store"]:
        """The store in `folder`, which is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(folder / "payments.sqlite3")) as database:
            database.row_factory = sqlite3.Row
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA foreign_keys = ON")
            database.executescript(SCHEMA)
            if "status" not in {row["name"] for row in database.execute("PRAGMA table_info(refunds)")}:
                database.execute("ALTER TABLE refunds ADD COLUMN status TEXT NOT NULL DEFAULT 'refunded'")
            yield cls(database)

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        """All the writes of the block, or none."""
        with self._database:
            yield

    def check(self) -> None:
        """Raise if the file cannot be read."""
        self._database.execute("SELECT 1 FROM transactions LIMIT 1").fetchone()

    def add_transaction(self, transaction: Transaction) -> bool:
        """Store a new transaction; false if its `tx_ref` is taken."""
        values = _values(transaction) | {"request": json.dumps(transaction.request)}
        return self._insert("transactions", values)

    def transaction(self, column: str, value: str) -> Transaction | None:
        """The transaction whose `tx_ref`, `reference` or `token` is `value`."""
        assert column in {"tx_ref", "reference", "token"}
        row = self._database.execute(f"SELECT * FROM transactions WHERE {column} = ?", (value,)).fetchone()  # noqa: S608 (asserted above)
        return _transaction(row) if row else None

    def transactions(self) -> list[Transaction]:
        """All of them, newest first."""
        return [
            _transaction(row) for row in self._database.execute("SELECT * FROM transactions ORDER BY created_at DESC")
        ]

    def move(self, tx_ref: str, before: Status, after: Status) -> bool:
        """Compare-and-set of a transaction's status; false if it was not `before`."""
        moved = self._database.execute(
            "UPDATE transactions SET status = ?, updated_at = ? WHERE tx_ref = ? AND status = ?",
            (after, now(), tx_ref, before),
        )
        return moved.rowcount == 1

    def add_refund(self, refund: Refund) -> bool:
        """Store a refund; false if its `reference` is taken."""
        return self._insert("refunds", _values(refund) | {"meta": json.dumps(refund.meta)})

    def refunded(self, tx_ref: str, *besides: RefundStatus) -> int:
        """How much of a transaction was given back or, unless `besides` leaves it out, is to be, in minor units."""
        rows = self._database.execute("SELECT amount, status FROM refunds WHERE tx_ref = ?", (tx_ref,))
        return sum(row["amount"] for row in rows if row["status"] not in (RefundStatus.FAILED, *besides))

    def end_refund(self, ref_id: str, status: RefundStatus) -> bool:
        """Compare-and-set of a refund that is initiated; false if it is not (any more)."""
        ended = self._database.execute(
            "UPDATE refunds SET status = ? WHERE ref_id = ? AND status = ?", (status, ref_id, RefundStatus.INITIATED)
        )
        return ended.rowcount == 1

    def refund(self, reference: str) -> Refund | None:
        """The refund with this `ref_id` or merchant's reference."""
        row = self._database.execute(
            "SELECT * FROM refunds WHERE ref_id = ? OR reference = ?", (reference, reference)
        ).fetchone()
        if not row:
            return None
        return Refund(**{**dict(row), "meta": json.loads(row["meta"]), "status": RefundStatus(row["status"])})

    def add_transfer(self, transfer: Transfer) -> bool:
        """Store a transfer; false if its `reference` is taken."""
        return self._insert("transfers", _values(transfer))

    def transfer(self, reference: str) -> Transfer | None:
        """The transfer with this merchant's reference."""
        row = self._database.execute("SELECT * FROM transfers WHERE reference = ?", (reference,)).fetchone()
        return Transfer(**row) if row else None

    def reverse_transfer(self, reference: str) -> bool:
        """Compare-and-set of a transfer that has arrived; false if it has not."""
        reversed_ = self._database.execute(
            "UPDATE transfers SET status = 'reversed' WHERE reference = ? AND status = 'success'", (reference,)
        )
        return reversed_.rowcount == 1

    def transfers(self) -> list[Transfer]:
        """All of them, newest first."""
        rows = self._database.execute("SELECT * FROM transfers ORDER BY created_at DESC")
        return [Transfer(**row) for row in rows]

    def owe(self, delivery: Delivery, due_at: float) -> None:
        """Remember a request to make, at that Unix time or later."""
        values = _values(delivery) | {"due_at": due_at}
        del values["id"]
        self._insert("deliveries", values)

    def due(self, moment: float) -> list[Delivery]:
        """The deliveries whose time has come, oldest first. `moment` is a Unix time."""
        rows = self._database.execute(
            "SELECT id, method, url, body, attempts, max_attempts FROM deliveries WHERE due_at <= ? ORDER BY id",
            (moment,),
        )
        return [Delivery(**row) for row in rows]

    def next_due(self) -> float | None:
        """When the next delivery is due, as a Unix time."""
        value: float | None = self._database.execute("SELECT min(due_at) FROM deliveries").fetchone()[0]
        return value

    def record_attempt(self, delivery: Delivery, outcome: str, due_at: float | None) -> None:
        """How the last try went, and when the next one is due: None for never again."""
        self._database.execute(
            "UPDATE deliveries SET attempts = attempts + 1, outcome = ?, due_at = ? WHERE id = ?",
            (outcome, due_at, delivery.id),
        )

    def deliveries(self) -> list[JsonObject]:
        """Every delivery with its attempts and last outcome, newest first."""
        rows = self._database.execute("SELECT * FROM deliveries ORDER BY id DESC LIMIT 500")
        return [dict(row) for row in rows]

    def behaviour(self) -> str | None:
        """The saved behaviour as JSON."""
        row = self._database.execute("SELECT settings FROM behaviour").fetchone()
        return row["settings"] if row else None

    def save_behaviour(self, settings: str) -> None:
        """Replace the saved behaviour."""
        self._database.execute("INSERT OR REPLACE INTO behaviour VALUES (1, ?)", (settings,))

    def _insert(self, table: str, values: JsonObject) -> bool:
        columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        statement = f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 (our own names)
        return self._database.execute(statement, values).rowcount == 1


def now() -> str:
    """This instant as Chapa writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _values(row: Transaction | Refund | Transfer | Delivery) -> JsonObject:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def _transaction(row: sqlite3.Row) -> Transaction:
    return Transaction(**{**dict(row), "status": Status(row["status"]), "request": json.loads(row["request"])})
