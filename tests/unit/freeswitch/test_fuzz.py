"""A coverage-guided search for bytes that break the protocol, for two seconds."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from freeswitch.protocol import encode_frame
from tests.unit.freeswitch.test_protocol import STREAM
from tests.unit.freeswitch.transcripts import recordings, server_streams

ROOT = Path(__file__).resolve().parents[3]
LONGEST_BYTES = 2048


def write_corpus(folder: Path) -> None:
    """What the search starts from: every shape of frame, hostile values, and the openings of the recordings."""
    seeds = [
        b"S\x05" + STREAM,
        b"S\x00" + encode_frame({"Content-Type": "text/event-json"}, b'{"Event-Name":"HEARTBEAT"}'),
        b'V\x00Q.850;text="x%0AHangup-Cause%3A FORGED"\n\nContent-Type: command/reply',
        b'V\x00","Unique-ID":"forged',
        b'B\x00{"Event-Name":"CHANNEL_CREATE","Unique-ID":"a","Unique-ID":"b","_body":"+OK"}',
        b"B\x00caf\xe9",
    ]
    for path in recordings():
        seeds += [b"S\x20" + stream[: LONGEST_BYTES - 2] for stream in server_streams(path).values()]
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(seed)


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not made for this Python")
@pytest.mark.parametrize("seconds", [2, pytest.param(30, marks=pytest.mark.full)])
def test_no_input_is_found_that_breaks_the_protocol(tmp_path: Path, seconds: int) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_corpus(corpus)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_BYTES}",
        "-timeout=10",
        "-rss_limit_mb=1024",
        f"-artifact_prefix={tmp_path}/",
    ]
    run = subprocess.run(
        [sys.executable, "-m", "tests.unit.freeswitch.fuzzing", str(corpus), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + 60,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert "DONE" in run.stderr or "Done" in run.stderr, run.stderr[-4000:]
