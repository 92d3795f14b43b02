"""The shipper against a service that does what the test says."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from freeswitch.conf import ship_cdrs
from freeswitch.conf.ship_cdrs import Credential, Service, Shipper, backoff, is_whole
from tests.waiting import HANG_SECONDS, wait_until

SCRIPT = Path(ship_cdrs.__file__)
KEY = "a-key-of-the-shippers-own"
RECORD = b'{"core-uuid":"c","variables":{"uuid":"u","hangup_cause":"USER_BUSY"}}\n'

Answer = int | tuple[int, str] | None


class Receiver:
    """What was posted, and what is answered: a status, one with a Retry-After, or None for a cut line. Without
    `answer_together` it is a service that knows no records that go together."""

    def __init__(self, answer: Callable[[str, bytes], Answer]) -> None:
        self.answer = answer
        self.answer_together: Callable[[bytes], tuple[int, bytes]] | None = None
        self.together: list[bytes] = []
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.connections = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.startswith(ship_cdrs.PATH_OF_MANY):
                    receiver.together.append(body)
                    known = receiver.answer_together
                    status, text = (404, b"") if known is None else known(body)
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                    return
                receiver.bodies.append(body)
                receiver.paths.append(self.path)
                receiver.keys.append(self.headers["Authorization"])
                answer = receiver.answer(self.path, body)
                if answer is None:
                    self.close_connection = True
                    return
                status, after = answer if isinstance(answer, tuple) else (answer, "")
                self.send_response(status)
                if after:
                    self.send_header("Retry-After", after)
                if status != 204:
                    self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(lambda _path, _body: 204)
    yield made
    made.close()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "cdr"
    folder.mkdir()
    return folder


@pytest.fixture
def shipper(spool: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shipper]:
    monkeypatch.setattr(ship_cdrs, "FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(ship_cdrs, "LAST_BACKOFF_SECONDS", 0.001)
    service = Service(receiver.url, "fs1", Credential(None, {"CARILLON_CDR_KEY": KEY}))
    yield Shipper(spool, service)
    service.close()


def put(spool: Path, name: str, body: bytes = RECORD, age: float = 0.0) -> Path:
    path = spool / f"{name}.cdr.json"
    path.write_bytes(body)
    when = time.time() - age
    os.utime(path, (when, when))
    return path


def names(folder: Path) -> set[str]:
    return {path.name.removesuffix(".cdr.json") for path in folder.iterdir() if path.is_file()}


def test_what_was_accepted_is_deleted_the_oldest_first(
    spool: Path, receiver: Receiver, shipper: Shipper
) -> None:
    bodies = {name: b'{"variables":{"uuid":"%s"}}\n' % name.encode() for name in "abc"}
    for name, age in (("b", 1.0), ("c", 0.0), ("a", 2.0)):
        put(spool, name, bodies[name], age)
    (spool / "notes.txt").write_text("not a record")
    assert shipper.round() == 3
    assert receiver.bodies == [bodies["a"], bodies["b"], bodies["c"]]
    assert set(receiver.paths) == {"/freeswitch/cdr?node=fs1"}
    assert set(receiver.keys) == {f"Bearer {KEY}"}
    # And one by which it was told that this service knows no records that go together.
    assert receiver.connections == 2
    assert [path.name for path in spool.iterdir()] == ["notes.txt"]


def accepted(*refused: int) -> Callable[[bytes], tuple[int, bytes]]:
    """Answers as a service that takes all but these places of what comes together."""
    told = [{"place": place, "detail": "no call record"} for place in refused]
    return lambda _body: (200, json.dumps({"refused": told}).encode())


def test_what_waits_together_goes_together_and_refused_ones_are_kept_aside(
    spool: Path, receiver: Receiver, shipper: Shipper
) -> None:
    receiver.answer_together = accepted(1)
    for number in range(3):
        put(spool, f"n{number}", b'{"n":%d}\n' % number, age=10.0 - number)
    assert shipper.round() == 3
    assert [json.loads(body) for body in receiver.together] == [[{"n": 0}, {"n": 1}, {"n": 2}]]
    assert receiver.bodies == []
    assert (names(spool), names(spool / "refused")) == (set(), {"n1"})
    put(spool, "alone")
    assert (shipper.round(), receiver.bodies) == (1, [RECORD])


@pytest.mark.parametrize("answer", [(500, b""), (400, b""), (200, b"odd"), (200, b"{}"), (404, b"")])
def test_what_comes_to_nothing_together_goes_one_by_one(
    spool: Path, receiver: Receiver, shipper: Shipper, answer: tuple[int, bytes]
) -> None:
    receiver.answer_together = lambda _body: answer
    receiver.answer = lambda _path, body: 500 if b"poison" in body else 204
    put(spool, "poison", b'{"poison":1}', 1.0)
    put(spool, "good")
    assert shipper.round() == 1
    assert names(spool) == {"poison"}
    assert len(receiver.together) == 1


def test_a_service_that_knows_no_records_that_go_together_is_asked_again_after_a_minute(
    spool: Path, receiver: Receiver, shipper: Shipper, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("freeswitch.conf.ship_cdrs.time.monotonic", lambda: now[0])
    for later in (0.0, 59.0, 1.0):
        now[0] += later
        put(spool, "a")
        put(spool, "b")
        assert shipper.round() == 2
    assert (len(receiver.together), len(receiver.bodies)) == (2, 6)


def test_no_more_go_together_than_the_service_takes(
    spool: Path, receiver: Receiver, shipper: Shipper
) -> None:
    receiver.answer_together = accepted()
    for number in range(7):
        put(spool, f"n{number}", b'{"x":"%s"}' % (b"y" * 60_000), age=10.0 - number)
    assert shipper.round() == 7
    assert [len(json.loads(body)) for body in receiver.together] == [4, 3]
    assert max(map(len, receiver.together)) <= ship_cdrs.MOST_BYTES


def test_what_was_written_anew_while_it_was_posted_with_others_is_posted_again(
    spool: Path, receiver: Receiver, shipper: Shipper
) -> None:
    def rewrite(body: bytes) -> tuple[int, bytes]:
        put(spool, "b", b'{"another":"call under the same name"}')
        return accepted()(body)

    receiver.answer_together = rewrite
    put(spool, "a", age=1.0)
    put(spool, "b")
    assert shipper.round() == 1
    assert names(spool) == {"b"}


@pytest.mark.parametrize("status", [400, 409, 410, 413, 415, 422])
def test_what_is_refused_for_good_is_kept_aside(
    spool: Path, receiver: Receiver, shipper: Shipper, status: int
) -> None:
    receiver.answer = lambda _path, body: status if b"bad" in body else 202
    put(spool, "bad", b'{"bad":1}', 1.0)
    put(spool, "good")
    assert shipper.round() == 2
    assert names(spool) == set()
    assert names(spool / "refused") == {"bad"}
    assert shipper.round() == 0
    assert len(receiver.bodies) == 2


@pytest.mark.parametrize("answer", [401, 403, 404, 405, 408, 429, 500, 503, 302, (503, "1"), None])
def test_whatever_is_no_word_about_the_record_leaves_it_in_the_spool(
    spool: Path, receiver: Receiver, shipper: Shipper, answer: Answer
) -> None:
    receiver.answer = lambda _path, _body: answer
    put(spool, "a")
    put(spool, "b")
    assert shipper.round() == 0
    assert names(spool) == {"a", "b"}
    assert not (spool / "refused").exists()
    receiver.answer = lambda _path, _body: 204
    assert shipper.round() == 2


def test_a_record_that_makes_the_service_fail_does_not_hold_up_the_others(
    spool: Path, receiver: Receiver, shipper: Shipper
) -> None:
    receiver.answer = lambda _path, body: 500 if b"poison" in body else 204
    put(spool, "poison", b'{"poison":1}', 1.0)
    put(spool, "good")
    assert shipper.round() == 1
    assert names(spool) == {"poison"}


def test_a_kept_connection_that_the_service_has_closed_costs_nothing(
    spool: Path, receiver: Receiver, shipper: Shipper
) -> None:
    def answer(_path: str, body: bytes) -> Answer:
        return None if b"cut" in body and receiver.bodies.count(body) == 1 else 204

    receiver.answer = answer
    put(spool, "a", age=1.0)
    put(spool, "b", b'{"cut":1}')
    assert shipper.round() == 2
    assert receiver.connections == 1 + 2


def test_a_half_written_record_is_left_alone_until_it_is_whole(
    spool: Path, receiver: Receiver, shipper: Shipper
) -> None:
    path = put(spool, "a", b"")
    for end in (0, 1, len(RECORD) // 2, len(RECORD) - 2):
        path.write_bytes(RECORD[:end])
        assert shipper.round() == 0
        assert path.exists()
    assert receiver.bodies == []
    path.write_bytes(RECORD)
    assert shipper.round() == 1
    assert receiver.bodies == [RECORD]


def test_a_record_whose_writer_died_is_put_aside_once_it_has_not_changed_for_a_minute(
    spool: Path, receiver: Receiver, shipper: Shipper, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("freeswitch.conf.ship_cdrs.time.monotonic", lambda: now[0])
    path = put(spool, "a", RECORD[:20])
    shipper.round()
    now[0] += 59.0
    path.write_bytes(RECORD[:30])
    shipper.round()
    now[0] += 59.0
    assert shipper.round() == 0
    now[0] += 1.0
    assert shipper.round() == 1
    assert names(spool / "refused") == {"a"}
    assert receiver.bodies == []


def test_bytes_that_are_no_text_travel_as_they_are(spool: Path, receiver: Receiver, shipper: Shipper) -> None:
    body = b'{"variables":{"sip_reason":"caf\xe9"}}\n'
    put(spool, "a", body)
    assert shipper.round() == 1
    assert receiver.bodies == [body]


def test_a_file_too_large_to_be_a_record_is_put_aside_unsent(
    spool: Path, receiver: Receiver, shipper: Shipper
) -> None:
    put(spool, "a", b'{"x":"' + b"y" * ship_cdrs.MOST_BYTES + b'"}')
    assert shipper.round() == 1
    assert names(spool / "refused") == {"a"}
    assert receiver.bodies == []


def test_a_record_that_was_written_anew_while_it_was_posted_is_posted_again(
    spool: Path, receiver: Receiver, shipper: Shipper
) -> None:
    def rewrite(_path: str, _body: bytes) -> Answer:
        if len(receiver.bodies) == 1:
            put(spool, "a", b'{"another":"call under the same name"}')
        return 204

    receiver.answer = rewrite
    put(spool, "a")
    assert shipper.round() == 0
    assert shipper.round() == 1
    assert receiver.bodies[1] == b'{"another":"call under the same name"}'


def test_a_link_is_not_followed(spool: Path, receiver: Receiver, shipper: Shipper, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"a":1}')
    (spool / "x.cdr.json").symlink_to(secret)
    assert shipper.round() == 0
    assert receiver.bodies == []


def test_a_huge_backlog_is_taken_in_parts(
    spool: Path, receiver: Receiver, shipper: Shipper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ship_cdrs, "BATCH", 4)
    for number in range(10):
        put(spool, f"n{number}", age=10.0 - number)
    assert [shipper.round() for _ in range(4)] == [4, 4, 2, 0]


def test_a_credential_is_a_key_or_a_name_with_a_password(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("fs1:secret\nanything else\n")
    assert Credential(file, {}).header() == "Basic " + base64.b64encode(b"fs1:secret").decode()
    file.write_text(" key \n")
    assert Credential(file, {"CARILLON_CDR_KEY": "other"}).header() == "Bearer key"
    for wrong in ("", "\n", "a\x00b"):
        file.write_text(wrong)
        with pytest.raises(ship_cdrs.NotDeliveredError):
            Credential(file, {}).header()


def test_waits_grow_up_to_a_bound_and_are_drawn() -> None:
    for failures in range(1, 40):
        bound = min(30.0, 0.5 * 2 ** (failures - 1))
        drawn = {backoff(failures) for _ in range(20)}
        assert len(drawn) > 1
        assert all(bound / 4 <= wait <= bound for wait in drawn)


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (RECORD, True),
        (RECORD.strip(), True),
        (b"", False),
        (b"[]", False),
        (b'"text"', False),
        (RECORD[:-3], False),
        (RECORD + RECORD, False),
        (b'{"a":' + b"[" * 100_000, False),
    ],
)
def test_a_record_is_whole_when_it_is_one_object_to_its_end(body: bytes, whole: bool) -> None:
    assert is_whole(body) is whole


# As a process.


@contextmanager
def running(spool: Path, url: str, *options: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "--spool", spool, "--url", url, *options],
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_ships_what_comes_and_ends_on_sigterm(spool: Path, receiver: Receiver) -> None:
    put(spool, "before")
    with running(spool, receiver.url, "--node", "fs 1", CARILLON_CDR_KEY=KEY) as process:
        wait_until(lambda: not names(spool), what="the first record's way")
        put(spool, "after")
        wait_until(lambda: not names(spool), what="the second record's way")
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_SECONDS) == 0
    assert receiver.paths == ["/freeswitch/cdr?node=fs%201"] * 2


def test_a_killed_shipper_goes_on_where_it_was(spool: Path, receiver: Receiver) -> None:
    held = threading.Event()

    def answer(_path: str, _body: bytes) -> Answer:
        if len(receiver.bodies) >= 3:
            held.wait(HANG_SECONDS)
        return 204

    receiver.answer = answer
    for number in range(6):
        put(spool, f"n{number}", b'{"n":%d}' % number, age=10.0 - number)
    with running(spool, receiver.url, CARILLON_CDR_KEY=KEY):
        wait_until(lambda: len(receiver.bodies) == 3, what="the third record")
    assert names(spool) == {"n2", "n3", "n4", "n5"}
    held.set()
    with running(spool, receiver.url, CARILLON_CDR_KEY=KEY):
        wait_until(lambda: not names(spool), what="an empty spool")
    assert sorted({json.loads(body)["n"] for body in receiver.bodies}) == list(range(6))
    assert receiver.bodies.count(b'{"n":2}') == 2


def test_a_service_that_is_away_is_waited_for_and_a_new_key_is_taken_up(
    spool: Path, receiver: Receiver, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("old-key")
    receiver.answer = lambda _path, _body: 204 if receiver.keys[-1] == "Bearer new-key" else 401
    put(spool, "a")
    with running(spool, receiver.url, "--credential-file", str(key)) as process:
        wait_until(lambda: receiver.keys, what="the first try")
        key.write_text("new-key\n")
        wait_until(lambda: not names(spool), what="an empty spool")
        process.terminate()
        _, said = process.communicate(timeout=HANG_SECONDS)
    assert said.splitlines()[1:] == ["ship_cdrs: cannot deliver: HTTP 401", "ship_cdrs: delivering again"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--url", "ftp://x"], "--url must look like"),
        (["--url", "http://x:99999"], "--url is not a URL"),
        (["--url", "http://user:secret@x"], "must not hold a password"),
        (["--url", "http://x/?a=b"], "must end with its path"),
        (["--spool", "/nonexistent"], "is not a folder"),
        ([], "no credential"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(spool: Path, options: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--spool", spool, "--url", "http://x", *options],
        env={name: value for name, value in os.environ.items() if name != "CARILLON_CDR_KEY"},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
