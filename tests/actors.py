"""People who use the suite through the gateway: guests and hosts who register, read their mail, book and pay."""

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx

from tests.suite import Suite

T = TypeVar("T")

PASSWORD = "correct horse battery staple"
PATIENCE_SECONDS = 60
LISTING: dict[str, Any] = {
    "title": "Lakeside cabin",
    "description": "A quiet wooden cabin with a view of the lake and a garden.",
    "category": "cabin",
    "city": "Bahir Dar",
    "country": "ET",
    "latitude": 11.5936,
    "longitude": 37.3908,
    "timezone": "Africa/Addis_Ababa",
    "price": {"amount": 450000, "currency": "ETB"},
    "cleaning_fee": {"amount": 50000, "currency": "ETB"},
    "capacity": 4,
    "units": 1,
    "amenities": ["wifi", "kitchen"],
    "min_nights": 1,
    "max_nights": 30,
    "instant_book": True,
    "cancellation_policy": "flexible",
}


class Actor:
    """Somebody with an HTTP client. A patient one repeats a call that the suite could not serve, as clients should."""

    def __init__(self, suite: Suite, *, patient: bool = False) -> None:
        status = suite.status()
        self.gateway: str = status["gateway"]
        self.mailbox: str = status["mail"]
        self.email = f"{uuid4().hex[:12]}@example.com"
        self._patient = patient
        self._client = httpx.AsyncClient(
            base_url=f"{status['gateway']}/api/v1",
            verify=ssl.create_default_context(cafile=status["ca"]),
            timeout=30,
            limits=httpx.Limits(max_connections=250),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """One request, whatever its answer."""
        if not self._patient:
            return await self._client.request(method, path, **kwargs)
        return await eventually(lambda: self._served(method, path, kwargs))

    async def get(self, path: str, **params: Any) -> Any:
        """The JSON of a successful read."""
        return succeeded(await self.call("GET", path, params=params))

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The JSON of a successful call, made with an idempotency key of its own unless one is given."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return succeeded(await self.call("POST", path, json=body, headers=headers))

    async def register(self, full_name: str) -> None:
        """Register, prove the address by the token in the mail, and sign in."""
        await self.post("/auth/register", {"email": self.email, "password": PASSWORD, "full_name": full_name})
        await self.post("/auth/verify-email", {"token": await self.token_from_mail("erify")})
        await self.sign_in()

    async def sign_in(self, password: str = PASSWORD) -> Any:
        """A new session; its access token goes with every later call."""
        pair = await self.post("/auth/login", {"email": self.email, "password": password})
        self.carry(pair["access_token"])
        return pair

    def carry(self, access_token: str) -> None:
        """Send this access token from now on."""
        self._client.headers["Authorization"] = f"Bearer {access_token}"

    async def publish_listing(self, **changes: Any) -> Any:
        """Draft and publish one."""
        draft = await self.post("/listings", LISTING | changes)
        return await self.post(f"/listings/{draft['id']}/publish")

    async def pay(self, checkout_url: str) -> None:
        """Press Pay on the provider's hosted page."""
        async with httpx.AsyncClient(timeout=30) as browser:
            page = await eventually(lambda: _page(browser, checkout_url))
            action = re.search(r'<form[^>]*action="([^"]*pay[^"]*)"', page.text)
            assert action, page.text
            pressed = await browser.post(str(page.url.join(action[1])))
            assert pressed.status_code < 400, pressed.text

    async def mails(self) -> list[dict[str, Any]]:
        """What lies in this person's mailbox, newest first."""
        async with httpx.AsyncClient(base_url=self.mailbox) as client:
            messages = (await client.get("/api/v1/messages", params={"limit": 500})).json()["messages"]
            mine = [each for each in messages if each["To"][0]["Address"] == self.email]
            return [(await client.get(f"/api/v1/message/{each['ID']}")).json() for each in mine]

    async def mail_about(self, word: str) -> dict[str, Any]:
        """The newest mail with this word in its subject, once it is there."""

        async def look() -> dict[str, Any]:
            return next(mail for mail in await self.mails() if word in mail["Subject"])

        return await eventually(look)

    async def token_from_mail(self, word: str) -> str:
        """The one-time token in such a mail."""
        match = re.search(r"token=([\w.~-]+)", (await self.mail_about(word))["Text"])
        assert match
        return match[1]

    async def sees(self, path: str, **expected: Any) -> Any:
        """Read until the answer has these members; the suite settles things in the background."""

        async def look() -> Any:
            found = await self.get(path)
            assert {name: found[name] for name in expected} == expected, found
            return found

        return await eventually(look)

    async def _served(self, method: str, path: str, kwargs: dict[str, Any]) -> httpx.Response:
        answer = await self._client.request(method, path, **kwargs)
        assert answer.status_code not in (500, 502, 503, 504), answer.text
        # "Still running": the first try is not over, or its process died with the key.
        assert not (answer.status_code == 409 and "idempotency_in_progress" in answer.text), answer.text
        return answer


def succeeded(answer: httpx.Response) -> Any:
    """The JSON of an answer that must be a success."""
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


async def eventually(attempt: Callable[[], Awaitable[T]], seconds: float = PATIENCE_SECONDS) -> T:
    """Await `attempt` until it neither fails nor finds nothing; its last failure when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await attempt()
        except (AssertionError, StopIteration, RuntimeError, httpx.TransportError):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


async def _page(browser: httpx.AsyncClient, url: str) -> httpx.Response:
    page = await browser.get(url)
    assert page.is_success, page.text
    return page


@contextlib.asynccontextmanager
async def newcomers(suite: Suite, *names: str, patient: bool = False) -> AsyncIterator[list[Actor]]:
    """People who have just registered and signed in."""
    async with contextlib.AsyncExitStack() as stack:
        people = [await stack.enter_async_context(Actor(suite, patient=patient)) for _ in names]
        await asyncio.gather(*(person.register(name) for person, name in zip(people, names, strict=True)))
        yield people
