"""The local certificate authority and the gateway's certificate, both kept in the data folder.

`nexus up` calls `ensure`; clients are pointed at the CA file, which stays the same when the certificate is renewed.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509

NAMES = ("localhost", "127.0.0.1", "::1")
# Browsers refuse certificates that live longer than 398 days.
LIFETIME = timedelta(days=390)
RENEW_BEFORE = timedelta(days=30)


def ensure(folder: Path) -> None:
    """Leave `ca.pem`, `server.pem` (with its chain) and `server-key.pem` in the folder, valid for 30 days at least."""
    if _expires_at(folder / "server.pem") - datetime.now(UTC) > RENEW_BEFORE:
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    authority_file, authority_key_file = folder / "ca.pem", folder / "ca-key.pem"
    if authority_file.exists() and authority_key_file.exists():
        authority = trustme.CA.from_pem(authority_file.read_bytes(), authority_key_file.read_bytes())
    else:
        authority = trustme.CA(organization_name="Nexus local development", organization_unit_name="this machine only")
        authority.private_key_pem.write_to_path(authority_key_file)
        authority.cert_pem.write_to_path(authority_file)
    server = authority.issue_cert(*NAMES, not_after=datetime.now(UTC) + LIFETIME)
    server.private_key_pem.write_to_path(folder / "server-key.pem")
    # The certificate comes last: until it is there, the next start makes everything again.
    chain = b"".join(blob.bytes() for blob in server.cert_chain_pems)
    fresh = folder / "server.pem.new"
    fresh.write_bytes(chain)
    fresh.replace(folder / "server.pem")


def _expires_at(certificate: Path) -> datetime:
    """When the certificate ends; long ago if there is none, or none that can be read."""
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return datetime.fromtimestamp(0, UTC)
