"""Text for speech keeps its words, and nothing in it means anything to a switch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.speech import speakable
from freeswitch import applications
from tests.examples import examples
from tests.strategies import joined


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Ann O'Brien", "Ann O\u2019Brien"),
        ("Ann (work)", "Ann, work"),
        ("Ann (work), hello", "Ann, work, hello"),
        ("$5 due", "5 dollars due"),
        ("you owe $1.", "you owe 1 dollar."),
        ("$5.50 due", "5 dollars and 50 cents due"),
        ("$1.01", "1 dollar and 1 cent"),
        ("$1,250.00", "1,250 dollars"),
        ("$ 5", "5 dollars"),
        ("5$", "5 dollars"),
        ("5 €", "5 euros"),
        ("£5.20", "5 pounds and 20 pence"),
        ("costs $", "costs dollars"),
        ("R&D", "R and D"),
        ("Bell & Sons", "Bell and Sons"),
        ("10% off", "10 percent off"),
        ("order #17", "order number 17"),
        ("ann@example.com", "ann at example.com"),
        ('the "boss"', "the boss"),
        ("a|b", "a, b"),
        ("a^b", "a b"),
        ("C:\\temp", "C: temp"),
        ("{x}", "x"),
        ("a\tb\nc\x00d", "a b c d"),
        ("Zoë 🔔", "Zoë 🔔"),
        ("  ", ""),
        ("'", "\u2019"),
        ("()", ""),
        ("Hello, Ann. How are you?", "Hello, Ann. How are you?"),
        ("9:30, and/or 10-11", "9:30, and/or 10-11"),
    ],
)
def test_a_sign_becomes_a_word_or_a_pause(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


TEXTS = joined(
    (
        "Ann",
        "é",
        "Müller",
        " ",
        "'",
        '"',
        "`",
        "$",
        "5",
        "{",
        "}",
        "(",
        ")",
        "\\",
        "^",
        "|",
        "&",
        "\x00",
        "\ud800",
    ),
    most=12,
) | st.text(max_size=40)


@examples(2000)
@given(TEXTS)
def test_whatever_a_text_holds_a_switch_takes_it_as_one_argument(text: str) -> None:
    spoken = speakable(text)
    assert speakable(spoken) == spoken
    if spoken:
        step = applications.say(spoken)
        assert applications.inline([step]).count("^") == 1
        assert step.argument == f"flite|slt|{spoken}"


@examples(2000)
@given(TEXTS)
def test_no_letter_and_no_digit_of_a_text_is_lost(text: str) -> None:
    left = iter(speakable(text))
    import unicodedata

    kept = [one for one in unicodedata.normalize("NFC", text) if one.isalnum()]
    assert all(one in left for one in kept)
