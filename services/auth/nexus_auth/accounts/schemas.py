"""The wire shapes of accounts. An address is normalised here once, so nobody behind this file sees two spellings."""

from typing import Annotated
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from nexus_contracts.access_token import Role
from nexus_kit.schemas import Body, Resource, UtcDateTime
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from nexus_auth.passwords import NewPassword


def normalised_address(typed: str) -> str:
    """Lower case, the domain in IDNA's ASCII form. The local part must be ASCII: few servers deliver anything else."""
    try:
        address = validate_email(typed, check_deliverability=False, allow_smtputf8=False).ascii_email
    except EmailNotValidError as exc:
        raise PydanticCustomError("email_invalid", "{reason}", {"reason": str(exc)}) from exc
    assert address is not None  # it is None only for an internationalised local part
    return address.lower()


EmailAddress = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(normalised_address),
    Field(description="Upper and lower case are the same.", examples=["makeda@nexus.example"]),
]
FullName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(description="As the other party of a booking will read it.", examples=["Makeda Tesfaye"]),
]
MailedToken = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(description="From the link in the mail.", examples=["gq3pAa8gG8b2Qf0mE0K5m0bqSZr8o3b7qE0mY6T1n2c"]),
]


class Registration(Body):
    """A new account."""

    email: EmailAddress
    password: NewPassword
    full_name: FullName


class EmailVerification(Body):
    """Proof that the address is the caller's."""

    token: MailedToken


class ForgottenPassword(Body):
    """Whose password was forgotten."""

    email: EmailAddress


class PasswordReset(Body):
    """A new password, and the right to set it."""

    token: MailedToken
    password: NewPassword


class ProfileChange(Body):
    """What one may change of oneself."""

    full_name: FullName


class Accepted(Resource):
    """The same for everybody, so that it tells nobody who has an account."""

    detail: str = Field(default="If there is anything to do, a mail is on its way.")


class Profile(Resource):
    """An account as its owner sees it."""

    id: UUID
    email: EmailAddress
    full_name: FullName
    email_verified: bool = Field(description="False: can neither publish nor book.")
    roles: list[Role] = Field(examples=[["user"]])
    created_at: UtcDateTime


class Recipient(Resource):
    """What another service may learn of a user, at the moment it writes to them."""

    id: UUID
    email: EmailAddress
    full_name: FullName
    email_verified: bool
