"""Tokens that open one event stream, for pages whose EventSource cannot send an Authorization header."""

from __future__ import annotations

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from live.errors import BadTokenError

LIFETIME_SECONDS = 600
SALT = "carillon.live.stream-token"


class StreamTokens:
    """Makes and checks tokens signed with the server's secret; nothing is stored."""

    def __init__(self, secret: str, *, lifetime: int = LIFETIME_SECONDS) -> None:
        self.lifetime = lifetime
        self._serializer = URLSafeTimedSerializer(secret, salt=SALT)

    def issue(self, tenant_id: str, campaign_id: str) -> str:
        """A token good for this one stream for `lifetime` seconds from now."""
        return str(self._serializer.dumps([tenant_id, campaign_id]))

    def tenant(self, token: str, campaign_id: str) -> str:
        """The tenant that `token` was made for. Raises BadTokenError, whose text may be shown, unless it is good for
        the stream of `campaign_id` now."""
        try:
            tenant_id, signed_for = self._serializer.loads(token, max_age=self.lifetime)
        except SignatureExpired as error:
            raise BadTokenError(f"token has expired: it is good for {self.lifetime} s") from error
        except (BadSignature, ValueError, TypeError) as error:
            raise BadTokenError("token is not one of this server's stream tokens") from error
        if signed_for != campaign_id:
            raise BadTokenError("token is for the stream of another campaign")
        return str(tenant_id)
