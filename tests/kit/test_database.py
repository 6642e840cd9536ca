"""One unit of work is one transaction; what the database refuses, or leaves unanswered, a client can read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from nexus_kit.db import Database, around_commit, lock, retry_on_conflict
from nexus_kit.errors import Busy, Unavailable
from nexus_kit.testing import Service
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

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
            await retry_on_conflict(session, lambda: lock(session, "a listing"), tries=1)

    async with service.database.unit_of_work() as session:
        waiting = asyncio.create_task(retry_on_conflict(session, lambda: lock(session, "a listing")))
        await asyncio.sleep(2.2)
        done.set()
        await waiting
    await holder


async def test_two_locks_that_cross_are_not_a_deadlock_for_the_client(service: Service) -> None:
    async def take(first: str, second: str) -> None:
        async with service.database.unit_of_work() as session:

            async def both() -> None:
                await lock(session, first)
                await asyncio.sleep(0.2)
                await lock(session, second)

            await retry_on_conflict(session, both)

    await asyncio.gather(take("a", "b"), take("b", "a"))


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
