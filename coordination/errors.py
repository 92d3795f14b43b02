"""What goes wrong between processes that agree through Redis: it could not be asked, or this dialer was fenced
off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError


class CoordinationError(Exception):
    """The root of the errors of whoever coordinates through Redis."""


class Unavailable(CoordinationError):  # noqa: N818  a state of the world, not a fault of the caller
    """Redis could not be asked. What it did with the command is unknown; asking again is harmless."""

    def __init__(self, action: str, reason: str) -> None:
        super().__init__(f"Redis is unavailable for {action}: {reason}")
        self.action = action
        self.reason = reason


class MembershipUnavailable(Unavailable):
    """Who lives cannot be read or written."""


class ControlBusUnavailable(Unavailable):
    """No control message can be sent or answered."""


class Fenced(CoordinationError):  # noqa: N818
    """This dialer was fenced off or its lease has lapsed. Its id never comes back: the process has to end."""

    def __init__(self, dialer_id: str) -> None:
        super().__init__(f"dialer {dialer_id} has lost its lease for good")
        self.dialer_id = dialer_id


@contextmanager
def translated(kind: type[Unavailable], action: str) -> Iterator[None]:
    """Turn the driver's errors into `kind`, once, at the edge."""
    try:
        yield
    except RedisError as error:
        raise kind(action, str(error) or type(error).__name__) from error
