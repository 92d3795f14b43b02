"""Answered calls that outlive their node's process: `track-calls` keeps them, `sofia recover` brings them back (J7).

Each answered call has a file until it ends; whatever ends the process first leaves it. The next run takes such a call
up under its uuid, with its variables and times, fires CHANNEL_CREATE and nothing else, and has none of its timers.
The called party has gone on meanwhile: who would have hung up by then does so at once.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from simulator import calls
from simulator.attempts import Attempt
from simulator.calls import Call
from simulator.dialstring import Leg, Originate
from simulator.journal import Journal
from simulator.ledger import LedgerSink
from simulator.plan import Outcome
from simulator.switch import Switch


class Tracked(Journal):
    """A journal that also keeps a file for each call from its answer to its end."""

    def __init__(self, ledger: LedgerSink, switch: Switch, folder: Path) -> None:
        super().__init__(ledger, switch.name)
        self._switch = switch
        self._core = switch.hub.renderer.node["core"]
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def step(self, wall: float, event: str, call: Call) -> None:
        """`ring` or `answer`."""
        super().step(wall, event, call)
        if event == "answer":
            self._keep(call)

    def end(self, wall: float, call: Call) -> None:
        """The end of a call that had a channel."""
        super().end(wall, call)
        self._path(call.uuid).unlink(missing_ok=True)

    def recover(self, at: float) -> int:
        """Take up what an earlier run left; how many calls."""
        found = [json.loads(path.read_bytes()) for path in sorted(self._folder.glob("*.json"))]
        fallen = [kept for kept in found if kept["core"] != self._core]
        for kept in fallen:
            self._take_up(at, kept)
        return len(fallen)

    def _path(self, uuid: str) -> Path:
        return self._folder / f"{quote(uuid, safe='', errors='surrogateescape')}.json"

    def _keep(self, call: Call) -> None:
        spec = call.attempt.spec
        endpoint = call.fields["endpoint"]
        kept = {
            "core": self._core,
            "uuid": call.uuid,
            "number": call.number,
            "gateway": call.gateway,
            "session": int(call.fields["session"]),
            "created": self._switch.clock.wall(call.at),
            "answered_us": call.answered_us,
            "progress_us": call.progress_us,
            "leg": {"endpoint": endpoint, "data": "", "variables": dict(call.variables)},
            "caller": [spec.caller_name, spec.caller_number],
            "outcome": asdict(call.outcome),
        }
        path = self._path(call.uuid)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(kept), encoding="ascii")
        partial.replace(path)

    def _take_up(self, at: float, kept: dict[str, Any]) -> None:
        switch = self._switch
        leg = Leg(**kept["leg"])
        spec = Originate(((leg,),), "park", "inline", "default", *kept["caller"])
        attempt = Attempt(spec, lambda _text: None)
        attempt.finish("")
        call = Call(
            leg,
            uuid=kept["uuid"],
            number=kept["number"],
            gateway=kept["gateway"],
            session=kept["session"],
            at=switch.clock.moment(kept["created"]),
            wall=kept["created"],
            attempt=attempt,
        )
        call.outcome = Outcome(**kept["outcome"])
        call.answered_us, call.progress_us = kept["answered_us"], kept["progress_us"]
        call.set_phase(calls.ANSWERED)
        call.flags |= calls.FLOWING | calls.DISPOSED | (calls.RANG if call.progress_us else 0)
        call.sip = 200
        call.set_foreign(disposition="ANSWER")
        call.fields.update(
            answered=str(call.answered_us), progress=str(call.progress_us), answer_state="answered"
        )
        switch.sessions[call.uuid] = call
        switch.hub.channel("CHANNEL_CREATE", call)
        call.set_call_state("ACTIVE")
        self._keep(call)
        if call.outcome.talk is not None:
            bye = call.at + (call.answered_us - call.created_us) / 1e6 + call.outcome.talk
            switch.scheduler.at(max(at, bye), switch.far_bye, call)
