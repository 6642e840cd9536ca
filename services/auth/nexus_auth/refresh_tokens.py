"""The refresh token as a string: a session and a counter, sealed with the session's own key. `sessions` uses it.

Nothing is stored per token, so the current one can be handed out again: after github.com/supabase/auth,
internal/crypto/refresh_tokens.go. Why: docs/decisions/0008-refresh-tokens.md.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import Self
from uuid import UUID

_FIELDS = struct.Struct(">16sQ")
_SEAL_BYTES = 24  # of HMAC-SHA-256; 16 + 8 + 24 bytes are 64 characters of base64url without padding
_CHARACTERS = 64


@dataclass(frozen=True)
class RefreshToken:
    """What a token claims. Until `sealed_with` says yes, anybody may have written it."""

    session_id: UUID
    counter: int
    seal: bytes

    @classmethod
    def issue(cls, session_id: UUID, counter: int, key: bytes) -> str:
        """The token of this session with this counter."""
        fields = _FIELDS.pack(session_id.bytes, counter)
        return base64.urlsafe_b64encode(fields + _seal(fields, key)).decode()

    @classmethod
    def read(cls, token: str) -> Self | None:
        """What the token claims, or None for a string that is not of this form."""
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return None
        if len(token) != _CHARACTERS or len(raw) != _FIELDS.size + _SEAL_BYTES:
            return None
        session_id, counter = _FIELDS.unpack_from(raw)
        return cls(UUID(bytes=session_id), counter, raw[_FIELDS.size :])

    def sealed_with(self, key: bytes) -> bool:
        """Whether the holder of `key` issued it. Takes the same time for every wrong seal."""
        return hmac.compare_digest(self.seal, _seal(_FIELDS.pack(self.session_id.bytes, self.counter), key))


def _seal(fields: bytes, key: bytes) -> bytes:
    return hmac.digest(key, fields, hashlib.sha256)[:_SEAL_BYTES]
