"""Dead letters, for operators: what was given up or could not be read, and how to send it round again.

    python -m nexus_worker.dead_letters list [--json]
    python -m nexus_worker.dead_letters redeliver ID | --all
    python -m nexus_worker.dead_letters discard ID

An ID is a number (a reaction that was given up: a row of the table dead_letters) or two numbers joined by a dash (an
event that could not be read: an entry of the stream nexus:dead:events). `nexus dead-letters` calls this.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from dramatiq.broker import Broker
from nexus_kit import streams
from nexus_kit.app import redis_client
from nexus_kit.db import Database
from redis.asyncio import Redis
from sqlalchemy import delete, func, select, update

from nexus_worker.broker import make_broker, reaction_message
from nexus_worker.db import DeadLetter
from nexus_worker.settings import Settings

cli = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)


@dataclass(frozen=True)
class Letter:
    """One open dead letter, of either kind."""

    id: str
    what: str
    """The reaction, or the stream."""
    event: Any
    """The CloudEvent; text if it is not even JSON."""
    error: str
    attempts: int
    since: str


@dataclass(frozen=True)
class Office:
    """Where dead letters lie, and where they are sent round again."""

    database: Database
    redis: Redis
    broker: Broker

    async def letters(self) -> list[Letter]:
        """All that are open, oldest first: reactions, then events."""
        query = select(DeadLetter).where(DeadLetter.redelivered_at.is_(None)).order_by(DeadLetter.id)
        async with self.database.unit_of_work() as session:
            rows = (await session.scalars(query)).all()
        entries: list[tuple[bytes, dict[bytes, bytes]]] = await self.redis.xrange(streams.DEAD)  # type: ignore[assignment]
        return [_of_row(row) for row in rows] + [_of_entry(entry_id, fields) for entry_id, fields in entries]

    async def redeliver(self, letter: Letter) -> None:
        """Send it round again. A crash on the way does it twice, not never.

        It is crossed off first and enqueued before the commit. So if it fails again at once, `bury` waits for this row,
        and opens it anew.
        """
        if _is_event(letter.id):
            if letter.event is None:
                raise LookupError(f"{letter.id} holds no event: there is nothing to redeliver, only to discard")
            await streams.publish(self.redis, letter.what, [_as_text(letter.event)])
            await self.redis.xdel(streams.DEAD, letter.id)
            return
        async with self.database.unit_of_work() as session:
            crossed_off = update(DeadLetter).where(DeadLetter.id == int(letter.id))
            await session.execute(crossed_off.values(redelivered_at=func.now()))
            self.broker.enqueue(reaction_message(_as_text(letter.event), letter.what))

    async def discard(self, letter: Letter) -> None:
        """Throw it away."""
        if _is_event(letter.id):
            await self.redis.xdel(streams.DEAD, letter.id)
            return
        async with self.database.unit_of_work() as session:
            await session.execute(delete(DeadLetter).where(DeadLetter.id == int(letter.id)))

    async def find(self, letter_id: str) -> Letter:
        """The open dead letter with this ID."""
        for letter in await self.letters():
            if letter.id == letter_id:
                return letter
        raise LookupError(f"there is no open dead letter {letter_id}")


@asynccontextmanager
async def open_office(settings: Settings) -> AsyncIterator[Office]:
    """Connect to the worker's database and to the events Redis."""
    url = settings.events_url.get_secret_value()
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
    broker = make_broker(url)
    try:
        async with redis_client(url) as redis:
            yield Office(database, redis, broker)
    finally:
        broker.close()
        await database.engine.dispose()


def _of_row(row: DeadLetter) -> Letter:
    return Letter(
        str(row.id), row.reaction, row.event, row.error, row.attempts, row.created_at.isoformat("T", "seconds")
    )


def _of_entry(entry_id: bytes, fields: dict[bytes, bytes]) -> Letter:
    event: Any = fields[streams.FIELD.encode()].decode(errors="replace") if streams.FIELD.encode() in fields else None
    since = datetime.fromtimestamp(int(entry_id.partition(b"-")[0]) / 1000, UTC).isoformat("T", "seconds")
    return Letter(entry_id.decode(), fields[b"stream"].decode(), event, fields[b"reason"].decode(), 1, since)


def _is_event(letter_id: str) -> bool:
    return "-" in letter_id


def _as_text(event: Any) -> str:
    return event if isinstance(event, str) else json.dumps(event, separators=(",", ":"))


def _run(work: Callable[[Office], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_office(Settings()) as office:
            await work(office)

    try:
        asyncio.run(run())
    except LookupError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from exc


@cli.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False) -> None:
    """Show what is open."""

    async def show(office: Office) -> None:
        letters = await office.letters()
        if as_json:
            typer.echo(json.dumps([asdict(letter) for letter in letters], indent=2))
            return
        for letter in letters:
            tries = f"{letter.attempts} tries" if letter.attempts > 1 else "1 try"
            typer.echo(f"{letter.id}  {letter.since}  {letter.what}  ({tries})\n    {letter.error}")
        typer.echo(f"{len(letters)} open" if letters else "No dead letters.")

    _run(show)


@cli.command()
def redeliver(
    letter_id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
) -> None:
    """Send a dead letter round again: do it once the reason is gone."""
    if (letter_id is None) is not everything:
        raise typer.BadParameter("give an ID, or --all")

    async def send_round(office: Office) -> None:
        letters = await office.letters() if letter_id is None else [await office.find(letter_id)]
        for letter in letters:
            await office.redeliver(letter)
            typer.echo(f"{letter.id} redelivered")

    _run(send_round)


@cli.command()
def discard(letter_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Throw a dead letter away: nobody will react to it any more."""

    async def throw_away(office: Office) -> None:
        await office.discard(await office.find(letter_id))
        typer.echo(f"{letter_id} discarded")

    _run(throw_away)


if __name__ == "__main__":
    cli()
