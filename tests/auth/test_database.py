"""The migrations, what seeds the database, and what tidies it up."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from nexus_auth.db import Base
from nexus_auth.seed import SeedAccount, seed
from nexus_auth.tidy import tidy
from nexus_contracts.auth import UserEmailVerified, UserRegistered
from nexus_kit.testing import Service
from sqlalchemy import CheckConstraint, Connection, text
from sqlalchemy.exc import IntegrityError

from tests.auth.given import PASSWORD, Account, make_time_pass

ADMIN = SeedAccount.model_validate(
    {"email": "Admin@nexus.example", "password": PASSWORD, "full_name": "The Admin", "roles": ["admin", "user"]}
)


async def test_the_migrations_make_exactly_what_the_models_declare(service: Service) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))

    async with service.database.engine.connect() as connection:
        found = await connection.run_sync(differences)
        checks = await connection.scalars(text("SELECT conname FROM pg_constraint WHERE conname LIKE 'ck%'"))

    assert [each for each in found if "alembic_version" not in repr(each)] == []
    declared = {
        each.name
        for table in Base.metadata.tables.values()
        for each in table.constraints
        if isinstance(each, CheckConstraint)
    }
    assert set(checks) == declared


@pytest.mark.parametrize(
    "change",
    [
        "email = upper(email)",
        "email = NULL",
        "deleted_at = now()",
        "roles = '{superuser}'",
    ],
)
async def test_the_database_itself_refuses_an_impossible_account(
    service: Service, makeda: Account, change: str
) -> None:
    with pytest.raises(IntegrityError):
        async with service.database.unit_of_work() as session:
            await session.execute(text(f"UPDATE users SET {change}"))  # noqa: S608 - our own words


async def test_seeding_makes_verified_accounts_with_their_roles_and_is_safe_to_repeat(
    service: Service, client: object
) -> None:
    await seed(service.database, [ADMIN])
    await seed(service.database, [ADMIN])

    assert [event.type for event in await service.published()] == [UserRegistered.TYPE, UserEmailVerified.TYPE]
    async with service.client() as caller:
        answer = await caller.post("/api/v1/auth/login", json={"email": ADMIN.email, "password": PASSWORD})
        signed_in = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        profile = (await caller.get("/api/v1/auth/me", headers=signed_in)).json()
    assert (profile["email_verified"], sorted(profile["roles"])) == (True, ["admin", "user"])


async def test_tidying_forgets_what_has_expired_and_nothing_else(service: Service, makeda: Account) -> None:
    await makeda.sign_in()
    await makeda.mailed("verify_email")
    await make_time_pass(service, "sessions", "31 days")
    await make_time_pass(service, "one_time_tokens", "25 hours")
    await makeda.sign_in()
    await makeda.mailed("verify_email")

    await tidy(service.app.state.runtime)

    async with service.database.unit_of_work() as session:
        counts = await session.execute(
            text("SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM one_time_tokens)")
        )
    assert counts.one() == (1, 1)
