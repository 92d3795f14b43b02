"""The tenant of the dialer's tests, for those that drive whole dialers step by step."""

from __future__ import annotations

from tests.integration.dialer.conftest import world

__all__ = ["world"]
