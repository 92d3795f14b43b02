"""What is asked of the API and of the carriers while things break, each in a thread of its own: whoever strikes must
not wait for a web that was struck."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Sequence

from local.api_client import ApiFailedError
from local.errors import LocalError
from simulator.remote import ControlError
from tests.chaos.parties import Party
from tests.chaos.stage import Stage
from tests.chaos.stops import FOR_EVER, REFUSED, Stop
from tests.waiting import HANG_SECONDS

FAULT = "gateway-refuses"
AGAIN_SECONDS = 0.2
FAILED = (OSError, http.client.HTTPException, ApiFailedError)
UNCONTROLLED = (OSError, ControlError, LocalError)


class Acts:
    """Halts tenants, stops campaigns, has carriers refuse. `halted` are the tenants, `stoppable` whose campaigns are
    stopped, one after the other; `stops` is what the API said of it. What it did not confirm within a minute is never
    answered: calls may leave all the same. `suppress` asks that somebody is not called any more."""

    def __init__(
        self,
        stage: Stage,
        halted: Sequence[Party],
        stoppable: Sequence[tuple[Party, str]],
        suppress: Callable[[], bool] = bool,
    ) -> None:
        self.stops: list[Stop] = []
        self.suppress = suppress
        self._stage = stage
        self._halted = halted
        self._stoppable = list(stoppable)
        self._lines = [line.name for party in halted for line in party.lines]
        self._standing: set[str] = set()
        self._threads: list[threading.Thread] = []

    def halt(self, die: float, seconds: float) -> bool:
        """Halt one of the tenants, and lift it again so long after the answer; False where there is none to halt."""
        free = [party for party in self._halted if party.tenant.id not in self._standing]
        if not free:
            return False
        party = free[int(die * len(free))]
        self._standing.add(party.tenant.id)
        self._begin(lambda: self._halt(party, seconds))
        return True

    def stop(self) -> bool:
        """Stop the next campaign and have its calls hung up; False where none is left."""
        if not self._stoppable:
            return False
        party, campaign = self._stoppable.pop(0)
        self._begin(lambda: self._stop(party, campaign))
        return True

    def refuse(self, node: str, die: float) -> Callable[[], None] | None:
        """Have the carrier behind one gateway of a node refuse every call; what makes it well again."""
        try:
            gateway = self._lines[int(die * len(self._lines))]
            self._stage.control(node).fault(FAULT, gateway=gateway, status=REFUSED)
        except UNCONTROLLED:
            return None

        def well() -> None:
            until = time.monotonic() + HANG_SECONDS
            while time.monotonic() < until:
                # A node that was killed meanwhile has a new control port, and carriers that are well.
                with contextlib.suppress(*UNCONTROLLED):
                    self._stage.control(node).clear(FAULT)
                    return
                time.sleep(AGAIN_SECONDS)

        return lambda: self._begin(well)

    def end(self) -> None:
        """Stop the campaigns that are left, so that nobody waits for their long calls; return once it is answered."""
        while self.stop():
            continue
        for thread in self._threads:
            thread.join()

    def _begin(self, act: Callable[[], None]) -> None:
        thread = threading.Thread(target=act, name="act", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _halt(self, party: Party, seconds: float) -> None:
        api, asked, answered = party.client(), time.time(), FOR_EVER
        with contextlib.suppress(*FAILED):
            api.post("/api/v1/halt")
            answered = time.time()
            time.sleep(seconds)
        self.stops.append(Stop(asked, answered, time.time(), tenant=party.tenant.id))
        api.delete("/api/v1/halt")
        self._standing.discard(party.tenant.id)

    def _stop(self, party: Party, campaign: str) -> None:
        asked, answered = time.time(), FOR_EVER
        with contextlib.suppress(*FAILED):
            party.client().post(f"/api/v1/campaigns/{campaign}/stop?hangup=true")
            answered = time.time()
        self.stops.append(Stop(asked, answered, campaign=campaign))
