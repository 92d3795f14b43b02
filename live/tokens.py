"""Tokens that open one event stream, for pages whose EventSource cannot send an Authorization header."""

from __future__ import annotations

import time

from itsdangerous import BadSignature, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from live.admission import Admission
from live.errors import BadTokenError

LIFETIME_SECONDS = 600
SALT = "carillon.live.stream-token"


class StreamTokens:
    """Makes and checks tokens signed with the server's secret; nothing is stored."""

    def __init__(self, secret: str, *, lifetime: int = LIFETIME_SECONDS) -> None:
        self.lifetime = lifetime
        self._secret = secret
        self._serializer = URLSafeTimedSerializer(secret, salt=SALT)

    def issue(self, admission: Admission, campaign_id: str, at: int | None = None) -> str:
        """A token good for this one stream for `lifetime` seconds from `at` (Unix seconds; now, without one), and for
        as long as the `admission` is of whoever asked for it.

        One that was issued at the same second for the same stream by the same key is the same.
        """
        payload = self._serializer.dump_payload([admission.tenant_id, admission.key_id, campaign_id])
        signer = _SignerAt(self._secret, salt=SALT, at=int(time.time()) if at is None else at)
        return signer.sign(payload).decode()

    def admission(self, token: str, campaign_id: str) -> Admission:
        """By what the one was let in that `token` was made for; whether that still stands is for the caller to ask.

        Raises BadTokenError, whose text may be shown, unless it is good for the stream of `campaign_id` now.
        """
        try:
            tenant_id, key_id, signed_for = self._serializer.loads(token, max_age=self.lifetime)
        except SignatureExpired as error:
            raise BadTokenError(f"token has expired: it is good for {self.lifetime} s") from error
        except (BadSignature, ValueError, TypeError) as error:
            raise BadTokenError("token is not one of this server's stream tokens") from error
        if signed_for != campaign_id:
            raise BadTokenError("token is for the stream of another campaign")
        return Admission(str(tenant_id), str(key_id))


class _SignerAt(TimestampSigner):
    """Signs as the serializer's own signer does, at a time of the caller's choice."""

    def __init__(self, secret: str, *, salt: str, at: int) -> None:
        super().__init__(secret, salt=salt)
        self._at = at

    def get_timestamp(self) -> int:
        return self._at
