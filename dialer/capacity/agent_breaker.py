"""Circuit breaker for each agent: five calls in a row that could not be given to it hold its campaigns.

Called by the process after each commit. Who is held is in the agent's row, so that every dialer goes by it
(`campaigns.agent_holds`); a held one is probed by asking the nodes for what it needs (`dialer.node_needs`), never by
a call to a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from gevent.lock import BoundedSemaphore

from campaigns import agent_holds
from campaigns.dispositions import Disposition
from campaigns.retry import REACHED
from dialer.errors import DATABASE_AWAY
from dialer.live_calls import LiveCall
from dialer.record.commit import Commit
from dialer.record.outcome_rows import Ended
from models import db

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AgentSigns:
    """What a group of calls that ended, in their order, says of a campaign's agent: whether one was given to it, and
    how many in a row were not since."""

    ran: bool = False
    failures: int = 0
    cause: str = ""


def agent_signs(over: Sequence[LiveCall], ended: Mapping[str, Ended]) -> dict[str, AgentSigns]:
    """The signs by campaign; only of campaigns whose calls gave one."""
    found: dict[str, AgentSigns] = {}
    for call in over:
        end = ended[call.call_id]
        before = found.get(call.campaign_id, AgentSigns())
        if end.disposition == Disposition.AGENT_FAILED:
            found[call.campaign_id] = AgentSigns(before.ran, before.failures + 1, end.cause)
        elif end.disposition in REACHED and end.answered:
            found[call.campaign_id] = AgentSigns(ran=True)
    return found


@dataclass(slots=True)
class AgentBreaker:
    """One process' part of it. `refresh` has the plans read again, so that what is held is heeded."""

    refresh: Callable[[], None]
    _ran: set[str] = field(default_factory=set)
    """Campaigns whose agents ran, which is to be noted."""
    _writing: BoundedSemaphore = field(default_factory=BoundedSemaphore)

    def after_commit(self, commit: Commit) -> None:
        """Count how calls ended. Never raises for a database that is away: the next failures say it again."""
        for campaign_id, signs in agent_signs(commit.over, commit.ended).items():
            if signs.failures:
                self._failed(campaign_id, signs)
            else:
                self._ran.add(campaign_id)

    def round(self) -> None:
        """Note which agents ran; every second, not with each call. Raises what a database that is away raises."""
        if self._ran:
            with self._writing, db.connection_context():
                self._note()

    def _note(self) -> None:
        ran, self._ran = self._ran, set()
        try:
            agent_holds.have_run(ran)
        except BaseException:  # whatever ended it, these are to be written the next time
            self._ran |= ran
            raise

    def _failed(self, campaign_id: str, signs: AgentSigns) -> None:
        try:
            with self._writing, db.connection_context():
                if self._ran:
                    # They ran before this failed, and the agent may be another campaign's as well.
                    self._note()
                held = agent_holds.failed(campaign_id, signs.failures, signs.cause, ran=signs.ran)
        except DATABASE_AWAY as error:
            log.warning("agent_not_judged", campaign_id=campaign_id, error=type(error).__name__)
            return
        log.warning("agent_failed", campaign_id=campaign_id, calls=signs.failures, cause=signs.cause)
        if held is not None:
            log.error("agent_held", agent_id=held[0], name=held[1], reason=signs.cause)
            self.refresh()
