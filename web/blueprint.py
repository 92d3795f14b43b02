"""The board's Flask blueprint, and the security headers of its answers."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response

blp = Blueprint(
    "board",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/board/static",
)

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Bootstrap's stylesheet draws its arrows and ticks as data: images."""


@blp.after_request
def close_to_others(response: Response) -> Response:
    """Let nothing from elsewhere in, and nobody keep or frame what a page shows."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Frame-Options"] = "DENY"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if response.mimetype == "text/html":
        headers["Cache-Control"] = "no-store"
    return response
