"""After a commit of the API: notifies the dialers, waits for them where the answer is a promise (pause, stop, halt),
and publishes the transitions.

A pause or stop is a promise: when it is answered, no further originate of that campaign leaves. Every live
dialer must say so. One that does not is fenced, and its lease waited out. Without Redis nobody can be asked: the
answer says so at once, and within a lease dialers stop by themselves, since they cannot renew theirs.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import gevent
import structlog
from gevent.pool import Pool
from redis.exceptions import RedisError

import outages
from api import times
from api.errors import ApiError, DatabaseUnavailable
from api.services import Services
from api.transactions import transaction
from campaigns.taken_away import Held
from coordination.errors import CoordinationError
from coordination.topics import Topic
from live.errors import LiveError
from live.publisher import PublishOutcome
from live.stream_events import StreamEvent, event_of_row
from models import rows

log = structlog.get_logger(__name__)

UNREACHABLE = (RedisError, CoordinationError, LiveError)
ACK_SECONDS = 2.0
AT_ONCE = 8
CHUNK = 500
EARLY_SECONDS = 0.1
EARLY_TIMES = 10
"""So often, and so long apart, an end is looked at again that others' news come before."""
END_LATER = "Calls in progress end when it is back."
FINISH = "Calls in progress finish."

# A campaign's end is told after everything that led to it, whoever has that to tell.
UNPUBLISHED = """
    SELECT t.id, t.campaign_id::text, t.contact_id::text, coalesce(p.phone_number, c.phone_number) AS phone_number,
        t.status, t.disposition, t.attempt,
        t.call_id::text, t.cause, t.version, t.at,
        t.contact_id IS NULL AND t.status IN ('completed', 'failed') AND EXISTS (
            SELECT FROM transition AS before WHERE NOT before.published AND before.owner <> t.owner
                AND before.campaign_id = t.campaign_id AND before.id < t.id) AS early
    FROM transition t LEFT JOIN contact c ON c.id = t.contact_id LEFT JOIN call p ON p.id = t.call_id
    WHERE t.owner = %s AND NOT t.published AND t.campaign_id = %s AND t.id > %s ORDER BY t.id LIMIT %s"""

CONNECTED = """
    SELECT split_part(application_name, ' ', 2) AS dialer_id FROM pg_stat_activity
    WHERE datname = current_database() AND application_name ~ '^carillon d'"""


def dialers(services: Services, topic: Topic, payload: Mapping[str, object]) -> bool:
    """Tell the dialers, without waiting; False where Redis is away. They look at the database by themselves too."""
    if services.dialers.redis_is_away:
        return False
    try:
        services.control_bus.notify(topic, payload)
    except UNREACHABLE as error:
        outages.struck(outages.REDIS, error)
        return False
    return True


def block_until_acknowledged(services: Services, topic: Topic, payload: Mapping[str, object]) -> bool:
    """Return once no dialer can start a call against `payload` any more, at most about 7 s later.

    False where Redis is away: nobody is known to have got the message. At once where that is known.
    """
    if services.dialers.redis_is_away:
        return False
    membership = services.membership

    def expected() -> set[str]:
        return set(membership.alive()) | (_connected() - fenced)

    try:
        fenced = membership.fenced(_connected())
        silent = services.control_bus.notify_and_wait(topic, payload, expected, ACK_SECONDS)
        waits = [membership.fence(dialer_id) for dialer_id in silent | fenced]
    except DatabaseUnavailable:
        delivered = dialers(services, topic, payload)
        gevent.sleep(membership.lease_seconds)
        return delivered
    except UNREACHABLE as error:
        outages.struck(outages.REDIS, error)
        return False
    if silent:
        log.warning("dialers_fenced", topic=topic, dialers=sorted(silent))
    gevent.sleep(min(max(waits, default=0.0), membership.lease_seconds))
    return True


def wait_until_blocked(services: Services, held: Sequence[Held]) -> None:
    """Return once no call leaves any more that was claimed of these campaigns before they lost something.

    Raises ApiError 503 where nobody can be told: what was taken is taken, and calls may leave as before for a while.
    """

    def block(one: Held) -> bool:
        payload = {"campaign_id": one.campaign_id, "generation": one.generation}
        return block_until_acknowledged(services, Topic.HOLD, payload)

    if not held:
        dialers(services, Topic.WAKE, {})
    elif not all(list(Pool(AT_ONCE).imap_unordered(block, held))):
        raise nobody_told(services, "The change stands", FINISH)


def _connected() -> set[str]:
    """The dialers that hold their session lock, by what they call their session.

    The membership alone is not enough: a Redis that was emptied has forgotten dialers whose leases still run.
    """
    with transaction():
        return {row["dialer_id"] for row in rows(CONNECTED)}


def nobody_told(services: Services, mark: str, in_progress: str) -> ApiError:
    """The 503 of what is in force in the database and could not be passed on. The request may be sent again."""
    seconds = services.membership.lease_seconds
    message = f"{mark}, but Redis is unavailable: calls may leave for up to {seconds:g} s. {in_progress}"
    return ApiError(503, message, code="redis_unavailable", headers={"Retry-After": "2"})


def publish_later(services: Services, campaign_id: uuid.UUID, owner: str) -> None:
    """Publish in the background: a stop of a long list has 100,000 transitions."""
    services.background.spawn(publish, services, campaign_id, owner)


def publish(services: Services, campaign_id: uuid.UUID, owner: str) -> None:
    """Publish what `owner` left unpublished of a campaign; a failure is left to a dialer, which does it later."""
    after = early = 0
    try:
        while True:
            found, held = unpublished(campaign_id, owner, after)
            if found:
                after = found[-1][0]
                _publish(services, found)
            elif held and early < EARLY_TIMES:
                early += 1
                gevent.sleep(EARLY_SECONDS)
            else:
                return
    except (LiveError, ApiError) as error:
        log.warning("publish_failed", campaign_id=str(campaign_id), reason=str(error))


def _publish(services: Services, found: Sequence[tuple[int, StreamEvent]]) -> None:
    outcomes = services.publisher.publish([event for _, event in found])
    published = [
        row_id for (row_id, _), outcome in zip(found, outcomes, strict=True) if outcome != PublishOutcome.GAP
    ]
    with transaction():
        rows("UPDATE transition SET published = true WHERE id = ANY(%s)", published)


def unpublished(
    campaign_id: uuid.UUID, owner: str, after: int = 0
) -> tuple[list[tuple[int, StreamEvent]], bool]:
    """The next rows that `owner` left unpublished of a campaign: their ids, which are above `after`, and events; and
    whether its end is held back, since others have yet to tell what came before it."""
    with transaction():
        found = rows(UNPUBLISHED, owner, campaign_id, after, CHUNK)
    told = [row for row in found if not row["early"]]
    events = [(row["id"], event_of_row({**row, "at": times.to_rfc3339(row["at"])})) for row in told]
    return events, len(told) < len(found)
