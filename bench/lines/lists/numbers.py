"""What judging the number of a list's row costs, beside libphonenumber's own answer."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import phonenumbers

from bench.table import Bound, Figure
from campaigns.numbers import phone_number

IN_PAIRS = True


def measure(quick: bool) -> Sequence[Figure]:
    """Numbers as lists have them, in full and as they are written at home, beside libphonenumber's own answer."""
    count = 2_000 if quick else 20_000
    written = [f"+1{201 + at % 3}{200 + at // 10_000 % 10 * 11}{at % 10_000:04d}" for at in range(count)]
    at_home = [f"({text[2:5]}) {text[5:8]}-{text[8:]}" for text in written]

    def library(text: str) -> str | None:
        number = phonenumbers.parse(text, "US")
        kinds = (phonenumbers.PhoneNumberType.UNKNOWN, phonenumbers.PhoneNumberType.PREMIUM_RATE)
        known = phonenumbers.number_type(number) not in kinds
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if known else None

    def seconds(judge: Callable[[str], object], texts: Sequence[str]) -> float:
        began = time.process_time()
        for text in texts:
            judge(text)
        return time.process_time() - began

    figures = []
    for what, texts in (("a number in full", written), ("a number as it is written at home", at_home)):
        ours: Callable[[str], object] = lambda text: phone_number(text, "US")  # noqa: E731
        assert [ours(text) for text in texts] == [library(text) for text in texts]
        times = [seconds(library, texts) / seconds(ours, texts) for _ in range(5)]
        figures.append(
            Figure(f"speed of {what}", statistics.median(times), "×", Bound.AT_LEAST, 4.0, "libphonenumber")
        )
    return figures
