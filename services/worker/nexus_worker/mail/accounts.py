"""The mails about an account. `reactions.py` names them; each has its folder in `templates/`."""

from nexus_contracts.auth import EmailVerificationRequested, PasswordResetRequested, RegistrationRepeated

from nexus_worker.job import Job
from nexus_worker.mail.sending import send


async def mail_email_verification(job: Job[EmailVerificationRequested]) -> None:
    """Ask the owner of a new account to prove the address."""
    await send(job, to=job.fact.user_id, link_to="verify_email")


async def mail_registration_repeated(job: Job[RegistrationRepeated]) -> None:
    """Tell the owner that somebody tried to register their address again: the form itself must not say so."""
    await send(job, to=job.fact.user_id)


async def mail_password_reset(job: Job[PasswordResetRequested]) -> None:
    """Send the owner what sets a new password."""
    await send(job, to=job.fact.user_id, link_to="reset_password")
