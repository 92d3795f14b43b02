"""What has to be let go of: calls that are over, permits never used, and answers that were lost.

Nothing is forgotten because Redis was away: a debt stays until a script has said that it is settled. Each question of
a dialer has a number, kept in the record of what it got, so a debt paid late never takes a permit asked for since.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coordination import lua
from limits import scripts
from limits.epoch import EpochChangedError, Ledger
from limits.keys import Record

BATCH = 100
ROUNDS = 5
"""How often a batch is read again at once because others changed its records; what is left then stays owed."""
DOUBT_SECONDS = 30.0
"""For how long a lost question may still be answered: Redis refuses it once the asker's own lease has lapsed."""
NEVER_SENT = -1


@dataclass(frozen=True, slots=True)
class Debt:
    """One call to let go of: `seconds` billed (0 adds none), or NEVER_SENT to undo the day's count and the rates too.

    A call that may ask again has with it the number of the dialer's last question, `ask`, and the `epoch` in which
    it was put: a permit got by a later question is another. `lost` is for one whose answer was lost: it concerns that
    epoch only, and nobody else needs to know of it. With `owner`, only a permit in that dialer's hands.
    """

    call_id: str
    seconds: int
    ask: int | None = None
    epoch: str | None = None
    lost: bool = False
    owner: str | None = None


class Debts:
    """The debts of one process, and its doubts: lost answers, with how long each may still be given."""

    def __init__(self, ledger: Ledger, dialer_id: str) -> None:
        self._ledger = ledger
        self._dialer_id = dialer_id
        self._owed: dict[str, Debt] = {}
        self._paying: dict[str, Debt] = {}
        self._doubts: dict[str, tuple[Debt, float]] = {}

    def owe(self, debts: Iterable[Debt]) -> None:
        """Note debts, to be paid by the next `pay`."""
        self._owed.update((debt.call_id, debt) for debt in debts)

    def doubt(self, call_ids: Iterable[str], ask: int, epoch: str) -> None:
        """The answer to question `ask` was lost: undo what it may have granted these calls, now and later on."""
        until = time.monotonic() + DOUBT_SECONDS
        for call_id in call_ids:
            debt = Debt(call_id, NEVER_SENT, ask, epoch, lost=True)
            self._owed[call_id] = debt
            self._doubts[call_id] = (debt, until)

    def withdraw(self, call_ids: Iterable[str]) -> None:
        """These are asked for again: what they may hold already is no longer to be undone."""
        for call_id in call_ids:
            for debts in (self._owed, self._paying):
                debt = debts.get(call_id)
                if debt is not None and debt.seconds == NEVER_SENT:
                    del debts[call_id]

    def revisit(self) -> None:
        """Owe again what a lost question may have been granted since it was last looked at."""
        now = time.monotonic()
        self._doubts = {call_id: doubt for call_id, doubt in self._doubts.items() if doubt[1] > now}
        for call_id, (debt, _) in self._doubts.items():
            self._owed.setdefault(call_id, debt)

    def pay(self) -> None:
        """Settle all debts but those another greenlet is at.

        Raises redis.RedisError; what is left stays owed.
        """
        while batch := list(self._owed.values())[:BATCH]:
            for debt in batch:
                self._paying[debt.call_id] = self._owed.pop(debt.call_id)
            left = {debt.call_id for debt in batch}
            try:
                left = self._settle(batch)
            finally:
                for debt in batch:
                    if self._paying.get(debt.call_id) is not debt:
                        continue  # withdrawn meanwhile
                    del self._paying[debt.call_id]
                    if debt.call_id in left:
                        self._owed.setdefault(debt.call_id, debt)
            if left:
                return

    def _settle(self, debts: Sequence[Debt]) -> set[str]:
        """Returns the calls that could not be settled because others were at their records all the time."""
        left = {debt.call_id for debt in debts}
        for _ in range(ROUNDS):
            try:
                left = self._settle_once([debt for debt in debts if debt.call_id in left])
            except EpochChangedError:
                continue
            if not left:
                break
        return left

    def _settle_once(self, debts: Sequence[Debt]) -> set[str]:
        """Returns the calls whose record changed between reading it and letting go of it."""
        ledger = self._ledger
        notes = [[debt.call_id, debt.seconds] for debt in debts if not debt.lost]
        paths, items = [ledger.keys.epoch, ledger.keys.gone], []
        epoch = ledger.epoch()
        if epoch is not None:
            keys = ledger.generation(epoch)
            paths.append(keys.permits)
            records = ledger.records(epoch, [debt.call_id for debt in debts])
            for debt in debts:
                record = records.get(debt.call_id)
                if record is not None and self._means(debt, record, epoch):
                    items.append([debt.call_id, record.raw, debt.seconds, record.day])
                    paths += [keys.held(record.owner), keys.day(record.tenant_id)]
                    paths += record.slot_keys(keys) + record.rate_keys(keys)
        answer = lua.run_job(
            ledger.redis, scripts.RELEASE, paths, {"epoch": epoch or "", "notes": notes, "items": items}
        )
        if answer[0] != "ok":
            ledger.forget()
        if answer[0] == "epoch":
            raise EpochChangedError
        return set(answer[1:])

    def _means(self, debt: Debt, record: Record, epoch: str) -> bool:
        """Whether this record is the one to let go of, and not one that was asked for since."""
        if debt.ask is None:
            return debt.owner in (None, record.owner)
        if record.owner == self._dialer_id:
            return record.ask <= debt.ask and (debt.epoch == epoch or not debt.lost)
        # Taken over meanwhile, and not asked for by the one who has it now.
        return record.ask == 0 and debt.epoch == epoch and not debt.lost
