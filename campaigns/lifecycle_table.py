"""Which actions a campaign allows in each of its states, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from models import CampaignStatus


class Action(StrEnum):
    """What a client can ask of a campaign."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    DELETE = "delete"


class Verdict(StrEnum):
    """What the lifecycle table answers where no state change follows."""

    REFUSED = "refused"
    UNCHANGED = "unchanged"
    DELETED = "deleted"


Answer = CampaignStatus | Verdict

_RUN, _PAUSED, _DONE = CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.COMPLETED
_NO, _SAME, _GONE = Verdict.REFUSED, Verdict.UNCHANGED, Verdict.DELETED
_TERMINAL: Mapping[Action, Answer] = dict(zip(Action, (_NO, _NO, _NO, _SAME, _GONE), strict=True))

LIFECYCLE: Mapping[CampaignStatus, Mapping[Action, Answer]] = {
    CampaignStatus.DRAFT: dict(zip(Action, (_RUN, _NO, _NO, _DONE, _GONE), strict=True)),
    CampaignStatus.SCHEDULED: dict(zip(Action, (_RUN, _NO, _NO, _DONE, _GONE), strict=True)),
    CampaignStatus.RUNNING: dict(zip(Action, (_NO, _PAUSED, _NO, _DONE, _NO), strict=True)),
    CampaignStatus.PAUSED: dict(zip(Action, (_RUN, _NO, _RUN, _DONE, _GONE), strict=True)),
    CampaignStatus.COMPLETED: _TERMINAL,
    CampaignStatus.FAILED: _TERMINAL,
}
