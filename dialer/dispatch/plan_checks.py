"""Whether a running campaign can be dialled, and dialled by this process: what its agent needs is there.

What the tenant is not granted any more, the database says, and so every dialer: the campaign waits (`agent`) until it
is granted again. What this process may not do, or does not know (another sound folder, other hosts, an action that is
newer than it), says nothing of the campaign: others may dial it, and only where no living dialer can it says so
(`not_here`). Neither is ever the campaign's end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog

from campaigns.actions import ActionRefused, NotGranted
from campaigns.agent_needs import Need
from dialer.dispatch.originate_builder import OriginateBuilder
from dialer.dispatch.plans import Plan
from freeswitch.errors import CommandRefused

log = structlog.get_logger()


class Hindrance(StrEnum):
    """Why a campaign is not dialled, as its `blocked_reason` says it."""

    AGENT = "agent"
    NOT_HERE = "not_here"


@dataclass(frozen=True, slots=True)
class _Checked:
    """What is known of a plan for as long as it stands, and the files of which more is known at each look."""

    plan: Plan
    hindrance: Hindrance | None
    files: tuple[Need, ...] = ()


@dataclass(slots=True)
class PlanChecks:
    """Each plan is checked once, its files at each look; `cannot_run` has, by campaign, what keeps this process from
    dialling it."""

    builder: OriginateBuilder
    cannot_run: dict[str, str] = field(default_factory=dict)
    _known: dict[str, _Checked] = field(default_factory=dict)

    def hindrance(self, plan: Plan) -> Hindrance | None:
        """Why this process does not dial this campaign; None where it can."""
        known = self._known.get(plan.campaign_id)
        if known is None or known.plan is not plan:
            known = self._look(plan)
            self._known[plan.campaign_id] = known
        return self._of_files(known) if known.files else known.hindrance

    def keep(self, campaign_ids: Collection[str]) -> None:
        """Forget all but these campaigns."""
        for campaign_id in self._known.keys() - set(campaign_ids):
            del self._known[campaign_id]
            self.cannot_run.pop(campaign_id, None)

    def _look(self, plan: Plan) -> _Checked:
        try:
            self.builder.check(plan)
        except NotGranted as refused:
            self.cannot_run.pop(plan.campaign_id, None)
            log.warning("agent_not_granted", campaign_id=plan.campaign_id, rule=str(refused))
            return _Checked(plan, Hindrance.AGENT)
        except (ActionRefused, CommandRefused) as refused:
            self._cannot(plan.campaign_id, str(refused))
            return _Checked(plan, Hindrance.NOT_HERE)
        files = self.builder.files(plan)
        if not files:
            self.cannot_run.pop(plan.campaign_id, None)
        return _Checked(plan, None, files)

    def _of_files(self, checked: _Checked) -> Hindrance | None:
        campaign_id = checked.plan.campaign_id
        for file in filter(self.builder.looked_for_elsewhere, checked.files):
            self._cannot(
                campaign_id, f"no node has the {file}, and other dialers look for it in another folder"
            )
            return Hindrance.NOT_HERE
        self.cannot_run.pop(campaign_id, None)
        return None

    def _cannot(self, campaign_id: str, rule: str) -> None:
        if self.cannot_run.get(campaign_id) != rule[:200]:
            log.error("campaign_not_here", campaign_id=campaign_id, rule=rule)
        self.cannot_run[campaign_id] = rule[:200]


def nobody_can(campaign_id: str, dialers: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether each of these living dialers says of itself that it cannot run this campaign; False where none is
    known. One of an older release says nothing of the kind, and may."""
    return bool(dialers) and all(campaign_id in info.get("cannot_run", ()) for info in dialers.values())
