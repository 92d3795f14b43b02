"""Refusals by a gateway, in a few words for each."""

from __future__ import annotations

import pytest

from web.refusal_words import by_words


@pytest.mark.parametrize(
    ("status", "cause", "words"),
    [
        (503, "NORMAL_TEMPORARY_FAILURE", "503 no room at the carrier"),
        (403, "CALL_REJECTED", "403 forbidden"),
        (302, "REDIRECTION_TO_NEW_DESTINATION", "302 number has moved"),
        (433, "CALL_REJECTED", "433 caller’s identity not accepted"),
        (499, "NORMAL_UNSPECIFIED", "499 normal unspecified"),
        (None, "GATEWAY_DOWN", "the gateway is down"),
        (None, "NETWORK_OUT_OF_ORDER", "network out of order"),
    ],
)
def test_a_refusal_is_its_status_and_what_that_means(status: int | None, cause: str, words: str) -> None:
    assert by_words([{"sip_status": status, "cause": cause, "calls": 3}]) == [(words, 3)]


def test_what_says_the_same_is_said_once_and_the_most_frequent_first() -> None:
    said = (("USER_BUSY", 486, 2), ("CALL_REJECTED", 403, 3), ("NORMAL_CLEARING", 486, 4))
    refusals = [{"cause": cause, "sip_status": status, "calls": calls} for cause, status, calls in said]
    assert by_words(refusals) == [("486 busy", 6), ("403 forbidden", 3)]
