"""Statements that go to asyncpg itself take part in the unit of work like any other, and fail like any other."""

import asyncio
import contextlib
from uuid import uuid4

import asyncpg
import pytest
from nexus_kit.db import driver, insert
from nexus_kit.errors import Busy, Problem, Unavailable
from nexus_kit.testing import Service
from sqlalchemy import func, select, text

from tests.kit.jars import Jar, JarFull, NicknameTaken

FILL = "INSERT INTO jars (owner_id, label, coins, version, nickname) VALUES (uuidv7(), 'a', $1, 1, $2)"
FAIL = "DO $$ BEGIN RAISE EXCEPTION 'as the server would' USING ERRCODE = '{}'; END $$"


@pytest.fixture(autouse=True)
async def _empty(service: Service) -> None:
    await service.clean()


async def test_they_are_committed_or_rolled_back_with_the_session(service: Service) -> None:
    with contextlib.suppress(LookupError):
        async with service.database.unit_of_work() as session:
            await (await driver(session)).execute(FILL, 1, None)
            raise LookupError
    async with service.database.unit_of_work() as session:
        await (await driver(session)).execute(FILL, 2, None)

    async with service.database.unit_of_work() as session:
        assert list(await session.scalars(select(Jar.coins))) == [2]


async def test_they_are_in_the_transaction_that_the_session_has_begun(service: Service) -> None:
    async with service.database.unit_of_work() as session:
        mine = await session.scalar(select(func.pg_current_xact_id()))
        theirs = await (await driver(session)).fetchval("SELECT pg_current_xact_id()")
        async with session.begin_nested():
            await (await driver(session)).execute(FILL, 1, None)
        inside = await session.scalar(select(func.count()).select_from(Jar))

    assert (theirs, inside) == (mine, 1)


async def test_a_savepoint_takes_them_back_though_the_driver_was_used_before_it(service: Service) -> None:
    async with service.database.unit_of_work() as session:
        await (await driver(session)).execute(FILL, 1, None)
        with contextlib.suppress(LookupError):
            async with session.begin_nested():
                await (await driver(session)).execute(FILL, 2, None)
                raise LookupError

    async with service.database.unit_of_work() as session:
        assert list(await session.scalars(select(Jar.coins))) == [1]


async def test_they_see_what_the_session_has_not_written_yet(service: Service) -> None:
    count = "SELECT sum(coins) FROM jars"
    async with service.database.unit_of_work() as session:
        jar = Jar(owner_id=uuid4(), label="a", coins=1)
        session.add(jar)
        added = await (await driver(session)).fetchval(count)
        jar.coins = 2
        changed = await (await driver(session)).fetchval(count)
        await session.delete(jar)
        deleted = await (await driver(session)).fetchval(count)

    assert (added, changed, deleted) == (1, 2, None)


async def test_a_row_that_is_inserted_is_the_sessions_from_then_on(service: Service) -> None:
    async with service.database.unit_of_work() as session:
        jar = Jar(owner_id=uuid4(), label="a", nickname=None, coins=1, version=1)
        await insert(session, jar)
        assert await session.get(Jar, jar.id) is jar
        jar.coins += 1

    async with service.database.unit_of_work() as session:
        assert list(await session.scalars(select(Jar.coins).where(Jar.id == jar.id))) == [2]


@pytest.mark.parametrize(("coins", "nickname", "problem"), [(101, None, JarFull), (1, "Ali", NicknameTaken)])
async def test_a_named_constraint_becomes_its_problem(
    service: Service, coins: int, nickname: str | None, problem: type[Problem]
) -> None:
    async with service.database.unit_of_work() as session:
        session.add(Jar(owner_id=uuid4(), label="a", nickname="Ali"))

    async def work() -> None:
        async with service.database.unit_of_work() as session:
            await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            await (await driver(session)).execute(FILL, coins, nickname)

    with pytest.raises(problem):
        await work()


async def test_an_unnamed_constraint_stays_a_fault(service: Service) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        async with service.database.unit_of_work() as session:
            await (await driver(session)).execute("INSERT INTO jars (owner_id) VALUES (uuidv7())")


@pytest.mark.parametrize("state", ["55P03", "40001", "40P01"])
async def test_a_conflict_with_others_is_busy(service: Service, state: str) -> None:
    with pytest.raises(Busy):
        async with service.database.unit_of_work() as session:
            await (await driver(session)).execute(FAIL.format(state))


@pytest.mark.parametrize("state", ["57P01", "53300", "08006"])
async def test_a_server_that_stops_or_is_full_is_a_503(service: Service, state: str) -> None:
    with pytest.raises(Unavailable):
        async with service.database.unit_of_work() as session:
            await (await driver(session)).execute(FAIL.format(state))


@pytest.mark.parametrize("seconds", [0, 0.1])
async def test_a_connection_that_the_server_ends_in_the_middle_is_a_503(service: Service, seconds: float) -> None:
    """Whether its goodbye has been read by then, or not."""

    async def work() -> None:
        async with service.database.unit_of_work() as session:
            connection = await driver(session)
            me = await connection.fetchval("SELECT pg_backend_pid()")
            async with service.database.unit_of_work() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": me})
            await asyncio.sleep(seconds)
            await connection.execute("SELECT 1")

    with pytest.raises(Unavailable):
        await work()

    async with service.database.unit_of_work() as session:  # and the pool has others
        assert await (await driver(session)).fetchval("SELECT 1") == 1


async def test_a_mistake_of_ours_stays_a_fault(service: Service) -> None:
    with pytest.raises(asyncpg.InterfaceError):
        async with service.database.unit_of_work() as session:
            await (await driver(session)).execute(FILL, 1)
