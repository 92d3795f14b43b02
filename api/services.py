"""The web process' shared clients (control bus, membership, publisher), made once by `create_app`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import flask
import redis
from gevent.pool import Group

from api.request_limit import RequestLimiter
from coordination.topics import Topic
from live.publisher import PublishOutcome
from live.stream_events import StreamEvent
from settings import Settings

EXTENSION = "carillon"


class ControlBus(Protocol):
    """Tells the dialers (`coordination.control_bus`). Raises CoordinationError."""

    def notify(self, topic: Topic, payload: Mapping[str, object], /) -> object: ...

    def notify_and_wait(
        self,
        topic: Topic,
        payload: Mapping[str, object],
        expected: Callable[[], Iterable[str]],
        timeout: float,
        /,
    ) -> set[str]:
        """Notify, and wait for `expected` to answer; those that did not within `timeout` seconds."""
        ...


class Membership(Protocol):
    """Which dialers live (`coordination.membership`). Raises CoordinationError."""

    @property
    def lease_seconds(self) -> float:
        """How long a lease lasts: nobody who was not heard of for so long can still send."""
        ...

    def alive(self) -> Mapping[str, Mapping[str, object]]:
        """Living dialers by id, and what each says of itself."""
        ...

    def leases(self, dialer_ids: Collection[str], /) -> Mapping[str, float]:
        """Seconds left of each of these leases, 0 where there is none."""
        ...

    def fenced(self, dialer_ids: Collection[str], /) -> set[str]:
        """Those of them that may renew their lease no more."""
        ...

    def fence(self, dialer_id: str, /) -> float:
        """Let a dialer renew its lease no more; seconds until it has surely lapsed."""
        ...


class Dialers(Protocol):
    """Which dialers live, as was last heard (`api.dialer_watch`)."""

    @property
    def redis_is_away(self) -> bool:
        """Whether Redis is known to be away."""
        ...

    def blocked_reason(self, status: str, said: str | None, /) -> str | None:
        """Why a campaign in this state is not dialled."""
        ...


class Publisher(Protocol):
    """Publishes to the event stream (`live.publisher`). Raises LiveUnavailable."""

    def publish(self, transitions: Sequence[StreamEvent], /) -> list[PublishOutcome]: ...


@dataclass(frozen=True, slots=True)
class Services:
    """The web process' connections to the rest of the house."""

    settings: Settings
    redis: redis.Redis
    control_bus: ControlBus
    membership: Membership
    publisher: Publisher
    dialers: Dialers
    request_limiter: RequestLimiter | None = None
    background: Group = field(default_factory=Group)
    """Work that goes on after an answer; whatever a killed process leaves of it, others take up."""


def services() -> Services:
    """Those of the application that serves this request."""
    found: Services = flask.current_app.extensions[EXTENSION]
    return found
