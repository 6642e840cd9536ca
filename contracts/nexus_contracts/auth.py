"""Facts of the auth service: accounts and sessions. Ids only, never an address or a name."""

from uuid import UUID

from nexus_contracts.envelope import Event


class UserRegistered(Event, type="nexus.auth.user.registered.v1", subject="user_id"):
    """An account exists; its address is not verified yet."""

    user_id: UUID


class RegistrationRepeated(Event, type="nexus.auth.registration.repeated.v1", subject="user_id"):
    """Somebody tried to register an address that already has this account; its owner should be told."""

    user_id: UUID


class EmailVerificationRequested(Event, type="nexus.auth.email_verification.requested.v1", subject="user_id"):
    """The owner of this account should be mailed a link that proves the address."""

    user_id: UUID


class UserEmailVerified(Event, type="nexus.auth.user.email_verified.v1", subject="user_id"):
    """The owner proved the address: the user may publish and book from the next token on."""

    user_id: UUID


class UserUpdated(Event, type="nexus.auth.user.updated.v1", subject="user_id"):
    """The profile changed. Whoever needs it asks auth for it."""

    user_id: UUID


class UserDeleted(Event, type="nexus.auth.user.deleted.v1", subject="user_id"):
    """The account is closed and its personal data erased; the id stays behind in other services' records."""

    user_id: UUID


class PasswordResetRequested(Event, type="nexus.auth.password_reset.requested.v1", subject="user_id"):
    """The owner of this account should be mailed a link that sets a new password."""

    user_id: UUID


class SessionRevoked(Event, type="nexus.auth.session.revoked.v1", subject="session_id"):
    """The session ended before its time: its access tokens must be refused everywhere."""

    session_id: UUID
    user_id: UUID
