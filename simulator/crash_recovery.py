"""Answered calls that outlive their node's process: `track-calls` keeps them, `sofia recover` brings them back.

Each answered call has a file until it ends; whatever ends the process first leaves it. The next run recovers such a
call under its uuid, with its variables and times, fires CHANNEL_CREATE and nothing else, and has none of its timers.
The called party has gone on meanwhile: who would have hung up by then does so at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from simulator import calls
from simulator.calls import Call, OriginateJob
from simulator.core import Core
from simulator.dialstring import Leg, Originate
from simulator.journal import Journal
from simulator.ledger import LedgerSink
from simulator.number_plan import CalledParty


class TrackedCalls(Journal):
    """A journal that also keeps a file for each call from its answer to its end; `far_bye` ends a recovered call."""

    def __init__(
        self, ledger: LedgerSink, core: Core, folder: Path, far_bye: Callable[[float, Call], None]
    ) -> None:
        super().__init__(ledger, core.name)
        self._core = core
        self._core_uuid = core.hub.renderer.node["core"]
        self._folder = folder
        self._far_bye = far_bye
        folder.mkdir(parents=True, exist_ok=True)

    def step(self, wall: float, event: str, call: Call) -> None:
        """`ring` or `answer`."""
        super().step(wall, event, call)
        if event == "answer":
            self._save(call)

    def end(self, wall: float, call: Call) -> None:
        """The end of a call that had a channel."""
        super().end(wall, call)
        self._path(call.uuid).unlink(missing_ok=True)

    def recover(self, at: float) -> int:
        """Bring back the calls that an earlier run left behind; how many."""
        found = [json.loads(path.read_bytes()) for path in sorted(self._folder.glob("*.json"))]
        left_behind = [saved for saved in found if saved["core"] != self._core_uuid]
        for saved in left_behind:
            self._recover_call(at, saved)
        return len(left_behind)

    def _path(self, uuid: str) -> Path:
        return self._folder / f"{quote(uuid, safe='', errors='surrogateescape')}.json"

    def _save(self, call: Call) -> None:
        spec = call.job.spec
        endpoint = call.fields["endpoint"]
        saved = {
            "core": self._core_uuid,
            "uuid": call.uuid,
            "number": call.number,
            "gateway": call.gateway,
            "session": int(call.fields["session"]),
            "created": self._core.clock.wall(call.at),
            "answered_us": call.answered_us,
            "progress_us": call.progress_us,
            "leg": {"endpoint": endpoint, "data": "", "variables": dict(call.variables)},
            "caller": [spec.caller_name, spec.caller_number],
            "called_party": asdict(call.called_party),
        }
        path = self._path(call.uuid)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(saved), encoding="ascii")
        partial.replace(path)

    def _recover_call(self, at: float, saved: dict[str, Any]) -> None:
        leg = Leg(**saved["leg"])
        spec = Originate(((leg,),), "park", "inline", "default", *saved["caller"])
        job = OriginateJob(spec, lambda _text: None)
        job.finish("")
        call = Call(
            leg,
            uuid=saved["uuid"],
            number=saved["number"],
            gateway=saved["gateway"],
            session=saved["session"],
            at=self._core.clock.moment(saved["created"]),
            wall=saved["created"],
            job=job,
        )
        call.called_party = CalledParty(**saved["called_party"])
        call.answered_us, call.progress_us = saved["answered_us"], saved["progress_us"]
        call.set_phase(calls.ANSWERED)
        call.flags |= calls.FLOWING | calls.DISPOSED | (calls.RANG if call.progress_us else 0)
        call.sip = 200
        call.set_foreign(disposition="ANSWER")
        call.fields.update(
            answered=str(call.answered_us), progress=str(call.progress_us), answer_state="answered"
        )
        self._core.channels.add(call)
        self._core.hub.channel("CHANNEL_CREATE", call)
        call.set_call_state("ACTIVE")
        self._save(call)
        if call.called_party.talk is not None:
            bye = call.at + (call.answered_us - call.created_us) / 1e6 + call.called_party.talk
            self._core.scheduler.at(max(at, bye), self._far_bye, call)
