"""Creates verified accounts: `python -m nexus_auth.seed < accounts.jsonl`, for demo logins and the first admin.

Each line is `{"email", "password", "full_name", "roles"}`. An address that has an account is left as it is.
"""

import asyncio
import sys
from collections.abc import Iterable

from nexus_contracts.access_token import Role
from nexus_kit.db import Database
from pydantic import Field

from nexus_auth import passwords
from nexus_auth.accounts import service
from nexus_auth.accounts.schemas import Registration
from nexus_auth.settings import Settings


class SeedAccount(Registration):
    """A registration that needs no proof of the address, and may carry roles."""

    roles: frozenset[Role] = Field(default=frozenset({Role.USER}), min_length=1)


async def seed(database: Database, accounts: Iterable[SeedAccount]) -> None:
    """All of them, or none."""
    async with database.unit_of_work() as session:
        for account in accounts:
            password_hash = await passwords.hash_password(account.password)
            user = await service.create(session, account.email, account.full_name, password_hash, account.roles)
            if user is not None:
                await service.prove_address(session, user)


async def main() -> None:
    """Read standard input, write to the database of the environment's settings."""
    accounts = [SeedAccount.model_validate_json(line) for line in sys.stdin if line.strip()]
    database = Database(Settings().database_url.get_secret_value())
    try:
        await seed(database, accounts)
    finally:
        await database.engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
