"""The keyed hash by which an erased number is still known: it is not called again, and nobody can read it back."""

from __future__ import annotations

import hmac
from hashlib import sha256

ERASED = "erased"
"""What stands in the place of what was erased; of a contact's number with its id, of which a list has each once."""


class NumberHash:
    """Hashes numbers under a key of its own, made of the server's pepper (SECRET_KEY)."""

    def __init__(self, pepper: str) -> None:
        self._key = hmac.digest(pepper.encode(), b"carillon: suppressed numbers", "sha256")

    def __call__(self, number: str) -> bytes:
        """The HMAC-SHA256 of a number in E.164, 32 bytes."""
        return hmac.digest(self._key, number.encode(), "sha256")

    @property
    def mark(self) -> str:
        """By which the key is known again: 16 hex digits that do not tell it."""
        return hmac.new(self._key, b"which key is this?", sha256).hexdigest()[:16]
