"""Which pages in a browser may use the API (https://fetch.spec.whatwg.org/#http-cors-protocol).

Only those of CARILLON_CORS_ORIGINS. No cookies are used, so none are allowed: a page shows a key or a stream token.
"""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask, Response, request

METHODS = "GET, POST, PUT, PATCH, DELETE"
SENT = "Authorization, Content-Type, Accept, Idempotency-Key, If-Match, Last-Event-ID, X-Request-Id, X-Tenant"
SHOWN = "Allow, Content-Disposition, ETag, Idempotent-Replayed, Location, Retry-After, X-Request-Id"
KEPT_SECONDS = 600


def register(app: Flask, origins: Collection[str]) -> None:
    """Let pages of these origins use `app`; with none it knows nothing of CORS."""
    if not origins:
        return

    def allowed() -> str | None:
        origin = request.headers.get("Origin")
        if origin is None or not ("*" in origins or origin in origins):
            return None
        return "*" if "*" in origins else origin

    def preflight() -> Response | None:
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not asked or allowed() is None:
            return None
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = METHODS
        response.headers["Access-Control-Allow-Headers"] = SENT
        response.headers["Access-Control-Max-Age"] = str(KEPT_SECONDS)
        return response

    def shown(response: Response) -> Response:
        response.vary.add("Origin")
        origin = allowed()
        if origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = SHOWN
        return response

    app.before_request(preflight)
    app.after_request(shown)
