"""One unit of work is one transaction; what the database refuses, or leaves unanswered, a client can read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from nexus_kit.db import Database, around_commit, lock
from nexus_kit.errors import Busy, Unavailable
from nexus_kit.testing import Service
from sqlalchemy import TextClause, func, select, text, update
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.kit.jars import Jar, JarFull, NicknameTaken
from tests.servers import running_postgres


@pytest.fixture(autouse=True)
async def _empty(service: Service) -> None:
    await service.clean()


async def test_a_unit_of_work_commits_all_or_nothing(service: Service) -> None:
    with contextlib.suppress(LookupError):
        async with service.database.unit_of_work() as session:
            session.add(_jar())
            await session.flush()
            raise LookupError

    async with service.database.unit_of_work() as session:
        session.add(_jar())

    async with service.database.unit_of_work() as session:
        assert await session.scalar(select(func.count()).select_from(Jar)) == 1


async def test_a_commit_happens_inside_what_was_put_around_it_once_and_a_rollback_outside(service: Service) -> None:
    seen: list[int | None] = []

    async def look() -> None:
        async with service.database.unit_of_work() as session:
            seen.append(await session.scalar(select(func.count()).select_from(Jar)))

    @contextlib.asynccontextmanager
    async def looking() -> AsyncIterator[None]:
        await look()
        try:
            yield
        finally:
            await look()

    async with service.database.unit_of_work() as session:
        around_commit(session, looking)
        around_commit(session, looking)
        session.add(_jar())
        await session.flush()
    with contextlib.suppress(LookupError):
        async with service.database.unit_of_work() as session:
            around_commit(session, looking)
            raise LookupError

    assert seen == [0, 1]


async def test_what_was_put_around_a_commit_is_left_when_the_commit_fails(service: Service) -> None:
    seen: list[str] = []

    @contextlib.asynccontextmanager
    async def watching() -> AsyncIterator[None]:
        seen.append("entered")
        try:
            yield
        finally:
            seen.append("left")

    with contextlib.suppress(NicknameTaken):
        async with service.database.unit_of_work() as session:
            around_commit(session, watching)
            session.add_all([_jar(nickname="Ali"), _jar(nickname="Ali")])
        raise AssertionError("both are called Ali")

    assert seen == ["entered", "left"]


async def test_a_named_constraint_becomes_its_problem_and_an_unnamed_one_stays_a_fault(service: Service) -> None:
    with pytest.raises(JarFull):
        async with service.database.unit_of_work() as session:
            session.add(_jar(coins=101))

    with pytest.raises(IntegrityError):
        async with service.database.unit_of_work() as session:
            await session.execute(text("INSERT INTO jars (owner_id) VALUES (uuidv7())"))


async def test_a_lock_that_others_hold_is_tried_again_and_then_busy(service: Service) -> None:
    holding, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with service.database.unit_of_work() as session:
            await lock(session, "a listing")
            holding.set()
            await done.wait()

    holder = asyncio.create_task(hold())
    await holding.wait()
    with pytest.raises(Busy):
        async with service.database.unit_of_work() as session:
            await lock(session, "a listing", tries=1)

    async with service.database.unit_of_work() as session:
        waiting = asyncio.create_task(lock(session, "a listing"))
        await asyncio.sleep(2.2)
        done.set()
        await waiting
    await holder


async def test_of_two_whose_locks_cross_one_goes_on_and_the_other_is_asked_to_try_again(service: Service) -> None:
    async def take(first: str, second: str) -> None:
        async with service.database.unit_of_work() as session:
            await lock(session, first)
            await asyncio.sleep(0.2)
            await lock(session, second)

    ends = await asyncio.gather(take("a", "b"), take("b", "a"), return_exceptions=True)

    assert {type(end) for end in ends} == {type(None), Busy}


async def test_a_database_that_is_away_is_a_503() -> None:
    with running_postgres() as url:
        database = Database(url.replace("postgresql:", "postgresql+asyncpg:"))
        async with database.unit_of_work() as session:
            await session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        async with database.unit_of_work() as session:
            await session.execute(text("SELECT 1"))
    await database.engine.dispose()


async def test_a_connection_that_the_server_ends_in_the_middle_is_a_503(service: Service) -> None:
    async def work() -> None:
        async with service.database.unit_of_work() as session:
            me = await session.scalar(text("SELECT pg_backend_pid()"))
            async with service.database.unit_of_work() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": me})
            await session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        await work()


async def test_connections_that_the_server_ended_while_nobody_used_them_are_replaced(service: Service) -> None:
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(service.database.unit_of_work()) for _ in range(4)]
        before = {await session.scalar(select(func.pg_backend_pid())) for session in sessions}
    async with service.database.unit_of_work() as session:
        others = text("SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE pid = ANY(:pids)")
        me = await session.scalar(select(func.pg_backend_pid()))
        await session.execute(others, {"pids": list(before - {me})})
    await asyncio.sleep(0.1)  # until their goodbye has been read

    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(service.database.unit_of_work()) for _ in range(4)]
        after = {await session.scalar(select(func.pg_backend_pid())) for session in sessions}

    assert len(after) == 4
    assert after.isdisjoint(before - {me})


async def test_each_statement_of_a_reader_sees_what_is_committed_when_it_starts(service: Service) -> None:
    count = select(func.count()).select_from(Jar)

    async with service.database.reading() as reader:
        before = await reader.scalar(count)
        async with service.database.unit_of_work() as session:
            session.add(_jar())
            await session.flush()
            meanwhile = await reader.scalar(count)
        after = await reader.scalar(count)

    assert (before, meanwhile, after) == (0, 0, 1)


async def test_a_reader_sees_a_statements_rows_as_they_were_however_long_it_takes(service: Service) -> None:
    async with service.database.unit_of_work() as session:
        session.add_all([_jar(coins=1), _jar(coins=1)])
    slowly = text("SELECT sum(coins) AS one, pg_sleep(0.3), (SELECT sum(coins) FROM jars) AS other FROM jars")

    async with service.database.reading() as reader:
        reading = asyncio.create_task(_sums(reader, slowly))
        await asyncio.sleep(0.1)
        async with service.database.unit_of_work() as session:
            await session.execute(update(Jar).values(coins=50))
        sums = await reading

    assert sums == (2, 2)


async def test_a_reader_has_no_transaction_and_who_writes_after_it_on_its_connection_has_one(service: Service) -> None:
    database = Database(service.database.engine.url.render_as_string(hide_password=False), pool_size=1)

    async with database.reading() as reader:
        me = await reader.scalar(select(func.pg_backend_pid()))
        async with service.database.unit_of_work() as session:
            seen = text("SELECT state FROM pg_stat_activity WHERE pid = :pid")
            state = await session.scalar(seen, {"pid": me})
    with contextlib.suppress(LookupError):
        async with database.unit_of_work() as session:
            writer = await session.scalar(select(func.pg_backend_pid()))
            session.add(_jar())
            await session.flush()
            raise LookupError

    assert state == "idle"
    assert writer == me
    async with database.reading() as reader:
        assert await reader.scalar(select(func.count()).select_from(Jar)) == 0
    await database.engine.dispose()


async def test_a_reader_gives_its_connection_back_whatever_happens(service: Service) -> None:
    database = Database(service.database.engine.url.render_as_string(hide_password=False), pool_size=1)

    async def is_cut_off() -> None:
        async with database.reading() as reader:
            me = await reader.scalar(select(func.pg_backend_pid()))
            async with service.database.unit_of_work() as session:
                await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": me})
            await reader.execute(text("SELECT 1"))

    for _ in range(3):
        with pytest.raises(ProgrammingError):
            async with database.reading() as reader:
                await reader.execute(text("SELECT nonsense"))
        with pytest.raises(Unavailable):
            await is_cut_off()
        async with database.reading() as reader:
            assert await reader.scalar(text("SELECT 1")) == 1
    await database.engine.dispose()


async def _sums(reader: AsyncConnection, statement: TextClause) -> tuple[int, int]:
    row = (await reader.execute(statement)).one()
    return row.one, row.other


async def test_waiting_for_a_connection_ends_with_busy(service: Service) -> None:
    url = service.app.state.runtime.settings.database_url.get_secret_value()
    database = Database(url, pool_size=1)

    async with database.unit_of_work() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(Busy):
            async with database.unit_of_work() as other:
                await other.execute(text("SELECT 1"))
    await database.engine.dispose()


def _jar(coins: int = 0, nickname: str | None = None) -> Jar:
    return Jar(owner_id=uuid4(), label="a", coins=coins, nickname=nickname)
