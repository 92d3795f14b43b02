"""Errors of the event stream."""

from __future__ import annotations


class LiveError(Exception):
    """The root of this package's errors."""


class LiveUnavailable(LiveError):  # noqa: N818  a state of the world, not a fault of the caller
    """Redis could not be asked; nothing is known of what it did. Publishing again is harmless."""

    def __init__(self, action: str, reason: str) -> None:
        super().__init__(f"Redis is unavailable for {action}: {reason}")
        self.action = action
        self.reason = reason


class BadEventIdError(LiveError):
    """A `Last-Event-ID` that this server cannot have sent."""

    def __init__(self, value: str) -> None:
        super().__init__(
            f"Last-Event-ID {value[:64]!r} is not an event id: two numbers with a hyphen between, as in an `id:` line"
        )
        self.value = value


class TooManyListenersError(LiveError):
    """This process serves as many streams as it may; another may have room. `delay` is in seconds."""

    def __init__(self, limit: int, delay: int = 5) -> None:
        super().__init__(f"this process already serves {limit} event streams")
        self.limit = limit
        self.delay = delay


class TenantListenersError(LiveError):
    """A tenant has as many streams in this process as it may while others may want some. `delay` is in seconds."""

    def __init__(self, count: int, delay: int = 5) -> None:
        super().__init__(
            f"the tenant already has {count} event streams in this process, all that others leave to it"
        )
        self.count = count
        self.delay = delay


class BadTokenError(LiveError):
    """A stream token that is not ours, has expired, or was made for another stream."""
