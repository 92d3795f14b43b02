"""Nothing in a log acts on a terminal, and no phone number is whole."""

from __future__ import annotations

import io
import logging
import re
import sys
import uuid
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

import logs
from logs import CleanFormatter, clean
from models import new_id


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    before = structlog.get_config()
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    logs.configure("INFO")
    yield out
    structlog.configure(**before)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+14155550123", "+*********23"),
        (
            "Key (phone_number)=(+431512345657) already exists",
            "Key (phone_number)=(+**********57) already exists",
        ),
        ("sofia/gateway/carrier/14155550123", "sofia/gateway/carrier/*********23"),
        ("sip:14155550123@10.0.0.1:5060", "sip:*********23@10.0.0.1:5060"),
        ("14155550123@10.0.0.1", "*********23@10.0.0.1"),
        ("tel:4155550123 x", "tel:********23 x"),
        (
            "GET /api/v1/contacts?phone_number=%2B12025550101'",
            "GET /api/v1/contacts?phone_number=%2B*********01'",
        ),
        ("no route to +1 (202) 555-0101.", "no route to +* (***) ***-**01."),
        ("it is 2025550101. number:2025550101", "it is ********01. number:********01"),
        ("2026-11-29 18:20:31.12345678 +02:00 +1 s", "2026-11-29 18:20:31.12345678 +02:00 +1 s"),
        ("a\x1b[31mred\x07\x9b1m", "a\\x1b[31mred\\x07\\x9b1m"),
        ("\u202etxt.exe \ud800", "\\u202etxt.exe \\ud800"),
        ("one\ntwo\ttab", "one\ntwo\\ttab"),
        ("2026-11-29T18:20:31.123456Z", "2026-11-29T18:20:31.123456Z"),
        ("took 1234567 µs of 300.12345678 s", "took 1234567 µs of 300.12345678 s"),
        ("019ab0c4-4333-7123-8123-012345678901", "019ab0c4-4333-7123-8123-012345678901"),
        ("d0192f3a4b5c6 1767258000000-0", "d0192f3a4b5c6 1767258000000-0"),
        ("Ada 😀", "Ada 😀"),
    ],
)
def test_a_number_is_masked_and_a_control_character_written_out(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(
    st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True),
    st.sampled_from(["(", "=", "'", " ", ":", "/", "tel:"]),
)
def test_no_number_in_e164_is_whole_wherever_it_stands(digits: str, before: str) -> None:
    assert digits not in clean(f"{before}+{digits}")
    assert digits not in clean(f"{before}+{digits})")


@given(st.integers(0))
@example(0)
def test_ids_stay_as_they_are(seed: int) -> None:
    for found in (new_id(), uuid.UUID(int=seed % 2**128)):
        assert clean(f"campaign_id={found} ") == f"campaign_id={found} "


def test_every_value_of_a_line_is_cleaned_errors_and_lists_too(written: io.StringIO) -> None:
    log = structlog.get_logger()
    try:
        raise ValueError("no \x1b[2J route to +14155550123")
    except ValueError as error:
        log.exception(
            "call_failed\x1b", numbers=["+14155550124"], error=error, to={"x": "14155550125"}, ms=14155550126
        )
    line = written.getvalue()
    assert line.count("\n") == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", line)
    assert not re.search(r"1415555012[345]", line)
    assert "ms=14155550126" in line
    assert "ValueError" in line


def test_what_a_library_logs_is_cleaned() -> None:
    record = logging.LogRecord(
        "gunicorn.error", logging.ERROR, "", 0, "GET %s", ("/\x1b?to=+14155550123",), None
    )
    assert CleanFormatter().format(record) == "GET /\\x1b?to=+*********23"
