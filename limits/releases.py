"""Releases that are due: of calls that are over, of permits never used, and of what a lost answer may have granted.

Nothing is dropped because Redis was away: a release stays pending until a script has said that it is done. Each
request of a dialer has a number, kept in the record of what it got, so a release that comes late never takes a permit
asked for since.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coordination import lua
from limits import scripts
from limits.epoch import EpochChangedError, EpochStore
from limits.keys import EpochKeys, PermitRecord

BATCH = 100
ROUNDS = 5
"""How often a batch is read again at once because others changed its records; what is left then stays pending."""
LOST_ANSWER_SECONDS = 30.0
"""For how long Redis may still carry out a request without an answer: none of a dialer whose lease has lapsed."""
NEVER_SENT = -1


@dataclass(frozen=True, slots=True)
class PendingRelease:
    """One call's permit to release: `seconds` billed (0 adds none), or NEVER_SENT to undo the day's count and the
    rates too.

    A call that may ask again has with it the number of the dialer's last request, `ask`, and the `epoch` in which
    it was made: a permit got by a later request is another. `lost` is for one whose answer was lost: it concerns that
    epoch only, and nobody else needs to know of it. With `owner`, only a permit in that dialer's hands. `reached`:
    the call counts for its number, and the next one to that has to wait.
    """

    call_id: str
    seconds: int
    ask: int | None = None
    epoch: str | None = None
    lost: bool = False
    owner: str | None = None
    reached: bool = False


class _Places:
    """The keys of a script, each once, and the place of each, as Lua counts."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths
        self._places = {path: place for place, path in enumerate(paths, 1)}

    def place(self, path: str) -> int:
        """Where a key stands."""
        place = self._places.get(path)
        if place is None:
            self.paths.append(path)
            place = self._places[path] = len(self.paths)
        return place


class PendingReleases:
    """Those of one process by call, and its lost answers with how long their requests may still be carried out."""

    def __init__(self, store: EpochStore, dialer_id: str) -> None:
        self._store = store
        self._dialer_id = dialer_id
        self._pending: dict[str, PendingRelease] = {}
        self._in_flight: dict[str, PendingRelease] = {}
        self._lost_answers: dict[str, tuple[PendingRelease, float]] = {}

    def enqueue(self, releases: Iterable[PendingRelease]) -> None:
        """To be done by the next `flush`."""
        self._pending.update((release.call_id, release) for release in releases)

    def enqueue_lost(self, call_ids: Iterable[str], ask: int, epoch: str) -> None:
        """The answer to request `ask` was lost: undo what it may have granted these calls, now and later on."""
        until = time.monotonic() + LOST_ANSWER_SECONDS
        for call_id in call_ids:
            release = PendingRelease(call_id, NEVER_SENT, ask, epoch, lost=True)
            self._pending[call_id] = release
            self._lost_answers[call_id] = (release, until)

    def withdraw(self, call_ids: Iterable[str]) -> None:
        """These are asked for again: what they may hold already is no longer to be undone."""
        for call_id in call_ids:
            for releases in (self._pending, self._in_flight):
                release = releases.get(call_id)
                if release is not None and release.seconds == NEVER_SENT:
                    del releases[call_id]

    def requeue_lost(self) -> None:
        """Enqueue again what a request without an answer may have been granted since it was last looked at."""
        now = time.monotonic()
        self._lost_answers = {key: lost for key, lost in self._lost_answers.items() if lost[1] > now}
        for call_id, (release, _) in self._lost_answers.items():
            self._pending.setdefault(call_id, release)

    def flush(self) -> None:
        """Carry out all but those that another greenlet is at.

        Raises redis.RedisError; what is left stays pending.
        """
        while batch := list(self._pending.values())[:BATCH]:
            for release in batch:
                self._in_flight[release.call_id] = self._pending.pop(release.call_id)
            left = {release.call_id for release in batch}
            try:
                left = self._release(batch)
            finally:
                self._keep(batch, left)
            if left:
                return

    def _keep(self, batch: Sequence[PendingRelease], left: set[str]) -> None:
        """Put back what of a batch was not done, and was not withdrawn meanwhile."""
        for release in batch:
            if self._in_flight.get(release.call_id) is not release:
                continue
            del self._in_flight[release.call_id]
            if release.call_id in left:
                self._pending.setdefault(release.call_id, release)

    def _release(self, releases: Sequence[PendingRelease]) -> set[str]:
        """Returns the calls that are left because others were at their records all the time."""
        left = {release.call_id for release in releases}
        for _ in range(ROUNDS):
            try:
                left = self._release_once([release for release in releases if release.call_id in left])
            except EpochChangedError:
                continue
            if not left:
                break
        return left

    def _release_once(self, releases: Sequence[PendingRelease]) -> set[str]:
        """Returns the calls whose record changed between reading it and releasing what it holds."""
        store = self._store
        notes = [[release.call_id, release.seconds] for release in releases if not release.lost]
        keys_of = _Places([store.keys.epoch, store.keys.ended_while_down])
        ids: list[str] = []
        items: list[str | int] = []
        epoch = store.epoch()
        if epoch is not None:
            keys = store.epoch_keys(epoch)
            keys_of.place(keys.permits)
            records = store.records(epoch, [release.call_id for release in releases])
            for release in releases:
                record = records.get(release.call_id)
                if record is not None and self._concerns(release, record, epoch):
                    ids.append(release.call_id)
                    items += self._item(release, record, keys, keys_of)
        job = {"epoch": epoch or "", "notes": notes, "ids": ids, "items": items}
        answer: list[str] = lua.run_job(store.redis, scripts.RELEASE, keys_of.paths, job)
        if answer[0] != "ok":
            store.forget()
        if answer[0] == "epoch":
            raise EpochChangedError
        return set(answer[1:])

    def _item(
        self, release: PendingRelease, record: PermitRecord, keys: EpochKeys, keys_of: _Places
    ) -> list[str | int]:
        """What the script gets of a permit."""
        reached = release.reached and release.seconds != NEVER_SENT
        log, rest = self._store.keys.number_history(record.tenant_id, record.number)
        second = record.second_leg_slots(keys)
        return [
            record.raw,
            release.seconds,
            record.day,
            int(reached),
            keys_of.place(keys.held(record.owner)),
            keys_of.place(keys.day(record.tenant_id)),
            *map(keys_of.place, record.slot_keys(keys)),
            *map(keys_of.place, record.rate_keys(keys)),
            0 if second is None else keys_of.place(second),
            keys_of.place(rest if reached else log),
        ]

    def _concerns(self, release: PendingRelease, record: PermitRecord, epoch: str) -> bool:
        """Whether this record is the one to release, and not one that was asked for since."""
        if release.ask is None:
            return release.owner in (None, record.owner)
        if record.owner == self._dialer_id:
            return record.ask <= release.ask and (release.epoch == epoch or not release.lost)
        # Taken over meanwhile, and not asked for by the one who has it now.
        return record.ask == 0 and release.epoch == epoch and not release.lost
