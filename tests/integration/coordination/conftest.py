"""Fixtures of these tests: those of the limiter's, whose permits a dialer's death concerns."""

from __future__ import annotations

from tests.integration.limits.conftest import client, dialer

__all__ = ["client", "dialer"]
