"""Builds the auth service: `uvicorn --factory nexus_auth.main:build`. Tests build it the same way."""

from fastapi import FastAPI
from nexus_kit.app import create_app

from nexus_auth.accounts import routes as accounts
from nexus_auth.keys import routes as keys
from nexus_auth.keys.service import KeyRing
from nexus_auth.sessions import routes as sessions
from nexus_auth.settings import Settings
from nexus_auth.tidy import TIDY
from nexus_auth.tokens import routes as tokens

PUBLIC = {
    *(f"POST /api/v1/auth/{call}" for call in ("register", "verify-email", "forgot-password", "reset-password")),
    *(f"POST /api/v1/auth/{call}" for call in ("login", "refresh")),
    "GET /.well-known/jwks.json",
}


def build() -> FastAPI:
    """The application, from the environment alone."""
    settings = Settings()
    app = create_app(
        name="auth",
        title="Nexus auth",
        description="Accounts, sessions and the keys that sign access tokens.",
        settings=settings,
        routers=[accounts.router, sessions.router, keys.router, accounts.internal, tokens.router],
        consumes={},
        background=[TIDY],
        public=PUBLIC,
    )
    app.state.keys = KeyRing(settings)
    return app
