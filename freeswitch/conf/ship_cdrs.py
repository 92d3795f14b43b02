#!/usr/bin/env python3
"""Posts the call records that a FreeSWITCH node spools to disk, and deletes what was accepted.

    python3 ship_cdrs.py --spool /var/spool/carillon/cdr --url https://carillon.example.com \
        --credential-file /etc/carillon/cdr.key --node fs1

Runs beside the node, as the user who owns the spool; any Python from 3.8 on, nothing to install. The credential is
the first line of the file, or CARILLON_CDR_KEY: `key` is sent as a bearer token, `user:password` as basic auth.

Each `*.cdr.json` is posted to <url>/freeswitch/cdr, oldest first. A 2xx deletes it. A 4xx moves it to `refused/` in
the spool, but for those that say nothing about the record: 401 and 403 (the credential), 404 and 405 (the URL), 408
and 429. These, 5xx, redirects and silence are tried again, from half a second up to half a minute apart, for ever. A
record that was posted and not deleted, since the shipper or the answer was cut off, is posted again: the service
knows it.

Those that wait together go together, as one JSON array to <url>/freeswitch/cdrs, whose answer names the places of
those that are refused. Where that comes to nothing, or the service is too old to know it, each goes by itself.

mod_json_cdr writes a record under its final name, so a file may be caught half-written: it is one that does not
parse, and is left alone until it does, or until it has not changed for a minute. Ends on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import heapq
import http.client
import json
import os
import random
import select
import signal
import ssl
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

SUFFIX = ".cdr.json"
REFUSED = "refused"
PATH, PATH_OF_MANY = "/freeswitch/cdr", "/freeswitch/cdrs"
VARIABLE = "CARILLON_CDR_KEY"

POLL_SECONDS = 0.5
BATCH = 1000
"""So many of the oldest files are looked at in one go, however many there are."""
MOST_BYTES = 256 * 1024
"""What the service takes. A larger file is no record of a call of ours, and is not posted."""
TOO_OLD_SECONDS = 60.0
"""For so long a service that knows no records that go together is asked for nothing of the kind."""
TIMEOUT_SECONDS = 10.0
STUCK_SECONDS = 60.0
"""A file that does not parse and has not changed for so long never will: its writer died."""
FIRST_BACKOFF_SECONDS = 0.5
LAST_BACKOFF_SECONDS = 30.0
REPEAT_SECONDS = 60.0
"""The same trouble is said again after so long."""
NOT_THE_RECORDS_FAULT = frozenset((401, 403, 404, 405, 408, 429))


Given = TypeVar("Given")
Told = TypeVar("Told")


class NotDeliveredError(Exception):
    """A record could not be delivered now; `after` is how many seconds the service asks to be left alone."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Credential:
    """The Authorization header. A file is read anew each time, so that its key can be changed at any time."""

    def __init__(self, path: Path | None, environ: dict[str, str]) -> None:
        self._path = path
        self._given = environ.get(VARIABLE, "")

    def header(self) -> str:
        """Raises NotDeliveredError where there is none."""
        secret = self._given.strip()
        if self._path is not None:
            try:
                secret = self._path.read_text(encoding="utf-8").partition("\n")[0].strip()
            except (OSError, ValueError) as error:
                raise NotDeliveredError(f"cannot read the credential in {self._path}: {error}") from error
        if not secret or not secret.isprintable():
            raise NotDeliveredError(f"no credential: --credential-file or {VARIABLE} must hold it")
        if ":" in secret:
            return "Basic " + base64.b64encode(secret.encode()).decode()
        return "Bearer " + secret.encode("utf-8").decode("latin-1")


class Service:
    """The other end: one connection, kept open between records."""

    def __init__(self, url: str, node: str | None, credential: Credential) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port
        self._prefix = parts.path.rstrip("/")
        self._query = f"?node={quote(node, safe='')}" if node else ""
        self._credential = credential
        self._tls = ssl.create_default_context() if self._secure else None
        self._connection: http.client.HTTPConnection | None = None
        self._alone_until = 0.0

    def post(self, body: bytes) -> int:
        """Deliver one record: the status where the service has made up its mind about it.

        Raises NotDeliveredError where it has not.
        """
        status, after, _ = self._send(PATH, body)
        if 200 <= status < 300 or (400 <= status < 500 and status not in NOT_THE_RECORDS_FAULT):
            return status
        self.close()
        raise NotDeliveredError(f"HTTP {status}", after)

    def post_together(self, bodies: Sequence[bytes]) -> dict[int, str] | None:
        """Deliver several records: the places of those that the service refuses, and why; None where it says nothing
        of each of them, and they have to go one by one. Raises NotDeliveredError where it cannot be reached.
        """
        if time.monotonic() < self._alone_until:
            return None
        status, _, answer = self._send(PATH_OF_MANY, b"[" + b",".join(bodies) + b"]")
        if status in (404, 405):
            self._alone_until = time.monotonic() + TOO_OLD_SECONDS
        if status != 200:
            self.close()
            return None
        try:
            return {int(one["place"]): str(one["detail"]) for one in json.loads(answer)["refused"]}
        except (ValueError, LookupError, TypeError):
            return None

    def _send(self, path: str, body: bytes) -> tuple[int, float, bytes]:
        headers = {"Content-Type": "application/json", "Authorization": self._credential.header()}
        kept = self._connection is not None
        try:
            return self._exchange(self._prefix + path + self._query, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not kept:
                raise NotDeliveredError(f"{type(error).__name__}: {error}") from error
            # The other end may have closed a connection that lay idle: that says nothing about a new one.
            return self._send(path, body)

    def close(self) -> None:
        """Hang up; the next record connects again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, target: str, body: bytes, headers: dict[str, str]) -> tuple[int, float, bytes]:
        if self._connection is None:
            if self._tls is not None:
                self._connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=TIMEOUT_SECONDS, context=self._tls
                )
            else:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        self._connection.request("POST", target, body, headers)
        response = self._connection.getresponse()
        answer = response.read(MOST_BYTES)
        if len(answer) == MOST_BYTES:
            self.close()
        after = response.getheader("Retry-After") or ""
        wait = min(float(after), LAST_BACKOFF_SECONDS) if after.isdecimal() else 0.0
        return response.status, wait, answer


class Spooled(NamedTuple):
    """A record as it was read; `state` tells whether its file has been written since."""

    name: str
    body: bytes
    state: tuple[int, int, int]


class Shipper:
    """Carries records from one spool to one service."""

    def __init__(self, spool: Path, service: Service) -> None:
        self._spool = spool
        self._service = service
        self._unfinished: dict[str, tuple[tuple[int, int, int], float]] = {}
        self._failures = 0
        self._left = 0
        self._said: tuple[str, float] = ("", 0.0)
        self._stopping = False
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)

    def stop(self, *_signal: object) -> None:
        """End after what is being posted; a signal handler."""
        self._stopping = True
        os.write(self._waker, b".")

    def run(self) -> None:
        """Ship until `stop`."""
        while not self._stopping:
            shipped = self.round()
            if shipped < BATCH:
                self._pause(POLL_SECONDS)
        self._service.close()

    def round(self) -> int:
        """Try each of the oldest records once; how many left the spool."""
        try:
            names = self._oldest()
        except OSError as error:
            self._say(f"cannot read {self._spool}: {error.strerror}")
            return 0
        present = set(names)
        self._unfinished = {name: seen for name, seen in self._unfinished.items() if name in present}
        self._left = size = 0
        together: list[Spooled] = []
        for name in names:
            if self._stopping:
                return self._left
            record = self._read(name)
            if record is None:
                continue
            size += len(record.body) + 1
            if size >= MOST_BYTES:
                self._ship(together)
                together, size = [], len(record.body) + 1
            together.append(record)
        self._ship(together)
        return self._left

    def _oldest(self) -> list[str]:
        with os.scandir(self._spool) as entries:
            return [name for _, name in heapq.nsmallest(BATCH, _records(entries))]

    def _read(self, name: str) -> Spooled | None:
        """A whole record; None where there is none, or not yet."""
        try:
            with open(self._spool / name, "rb") as file:
                body = file.read(MOST_BYTES + 1)
                state = _state(os.fstat(file.fileno()))
            if len(body) > MOST_BYTES:
                self._refuse(name, f"larger than {MOST_BYTES} bytes")
            elif is_whole(body):
                return Spooled(name, body, state)
            else:
                self._wait_for_rest(name, state)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._say(f"{name}: {error.strerror}")
        return None

    def _ship(self, records: Sequence[Spooled]) -> None:
        """Together, and where that comes to nothing one by one: no record holds up the others."""
        if len(records) > 1 and not self._stopping:
            refused = self._delivered(self._service.post_together, [one.body for one in records])
            if refused is not None:
                for place, record in enumerate(records):
                    self._settle(record, refused.get(place))
                return
        for record in records:
            if self._stopping:
                return
            status = self._delivered(self._service.post, record.body)
            if status is not None:
                self._settle(record, f"HTTP {status}" if status >= 300 else None)

    def _delivered(self, post: Callable[[Given], Told], given: Given) -> Told | None:
        """What the service says; None where it could not be reached, which is said, and waited upon."""
        try:
            told = post(given)
        except NotDeliveredError as error:
            self._failures += 1
            self._say(f"cannot deliver: {error}")
            # The next one may do better than this one.
            self._pause(max(error.after, backoff(self._failures)))
            return None
        if self._failures and told is not None:
            self._failures = 0
            self._say("delivering again")
        return told

    def _settle(self, record: Spooled, refused: str | None) -> None:
        """The service has made up its mind about a record, which may have been written anew meanwhile."""
        path = self._spool / record.name
        try:
            if refused is not None:
                self._refuse(record.name, refused)
            elif _state(os.stat(path)) == record.state:
                os.unlink(path)
                self._left += 1
        except FileNotFoundError:
            pass
        except OSError as error:
            self._say(f"{record.name}: {error.strerror}")

    def _wait_for_rest(self, name: str, state: tuple[int, int, int]) -> None:
        now = time.monotonic()
        seen, since = self._unfinished.get(name, (None, now))
        if seen != state:
            self._unfinished[name] = (state, now)
        elif now - since >= STUCK_SECONDS:
            del self._unfinished[name]
            self._refuse(name, "not JSON")

    def _refuse(self, name: str, why: str) -> None:
        folder = self._spool / REFUSED
        folder.mkdir(mode=0o700, exist_ok=True)
        os.replace(self._spool / name, folder / name)
        self._left += 1
        say(f"{name}: {why}; moved to {folder}")

    def _pause(self, seconds: float) -> None:
        if not self._stopping:
            select.select([self._wake], [], [], seconds)

    def _say(self, text: str) -> None:
        """Say it unless it was said just now."""
        now = time.monotonic()
        if text != self._said[0] or now - self._said[1] >= REPEAT_SECONDS:
            self._said = (text, now)
            say(text)


def is_whole(body: bytes) -> bool:
    """Whether this is a JSON object to its end. A name or a phrase in it may hold bytes that are not UTF-8."""
    try:
        return isinstance(json.loads(body.decode("utf-8", "replace")), dict)
    except (ValueError, RecursionError):
        return False


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: drawn up to a bound that doubles, never none at all."""
    bound = min(LAST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))
    return random.uniform(bound / 4, bound)


def say(text: str) -> None:
    """One line for the journal."""
    sys.stderr.write(f"ship_cdrs: {text}\n")
    sys.stderr.flush()


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _records(entries: Iterator[os.DirEntry[str]]) -> Iterator[tuple[int, str]]:
    """The records among a folder's entries, with the time at which each was last written."""
    for entry in entries:
        if entry.name.endswith(SUFFIX):
            with contextlib.suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield found.st_mtime_ns, entry.name


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line. A wrong one ends the process with status 2 and a sentence."""
    parser = argparse.ArgumentParser(
        description="Posts the call records that a FreeSWITCH node spools to disk."
    )
    parser.add_argument("--spool", type=Path, required=True, help="the log-dir of json_cdr.conf.xml")
    parser.add_argument("--url", required=True, help="where Carillon is; /freeswitch/cdr is added")
    parser.add_argument("--credential-file", type=Path, help=f"a file with the key; otherwise {VARIABLE}")
    parser.add_argument("--node", help="the node's name in FREESWITCH_URLS; otherwise its switchname")
    options = parser.parse_args(arguments)
    try:
        parts = urlsplit(options.url)
        port_is_right = parts.port != 0
    except ValueError:
        parser.error("--url is not a URL")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        parser.error("--url must look like https://carillon.example.com")
    if parts.username or parts.password:
        parser.error("--url must not hold a password: everybody on this machine can read it")
    if parts.query or parts.fragment:
        parser.error("--url must end with its path")
    if not options.spool.is_dir():
        parser.error(f"--spool: {options.spool} is not a folder")
    return options


def main(arguments: list[str]) -> int:
    """Ship until told to end."""
    options = parse_options(arguments)
    credential = Credential(options.credential_file, dict(os.environ))
    try:
        credential.header()
    except NotDeliveredError as error:
        say(str(error))
        return 2
    shipper = Shipper(options.spool, Service(options.url, options.node, credential))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, shipper.stop)
    say(f"shipping {options.spool} to {options.url}")
    shipper.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
