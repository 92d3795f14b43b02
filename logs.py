"""Logs of every process: one line for each event, its name and its facts, on standard error.

A log is read in terminals and kept by others: no value in it acts on a terminal, and no phone number is whole.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from types import NoneType
from typing import Any

import structlog

# In E.164, as it is written for people or within an address (%2B), too; and digits alone where they are a word of
# their own, as in a dial string or a key. An id, a time and an address of the network have letters, hyphens, dots or
# colons around theirs.
_NUMBER = re.compile(
    r"(?P<plus>\+|%2[Bb])[1-9](?:[ .()/-]{0,2}[0-9]){6,14}(?![0-9])"
    r"|(?<=sip:)[0-9]{7,15}(?![0-9])|(?<=tel:)[0-9]{7,15}(?![0-9])"
    r"|(?<![\w.+-])(?<![0-9]:)[0-9]{8,15}(?![\w-]|\.[0-9])"
)
_DIGIT = re.compile("[0-9]")
_SHOWN_DIGITS = 2
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` as a log may hold it: control characters written out, but for line breaks, and of a phone number only
    that it is one, how long, and its last two digits."""
    return _UNPRINTABLE.sub(_written_out, _NUMBER.sub(_masked, text))


def _masked(match: re.Match[str]) -> str:
    plus = match["plus"] or ""
    number = match[0].removeprefix(plus)
    return plus + _DIGIT.sub("*", number, len(_DIGIT.findall(number)) - _SHOWN_DIGITS)


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode()


def clean_values(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Clean every value of an event that is not a number of ours, whatever it is made of."""
    for name, value in event.items():
        if not isinstance(value, bool | int | float | NoneType):
            event[name] = clean(str(value))
    return event


class CleanFormatter(logging.Formatter):
    """What libraries log, cleaned as our own lines are."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return clean(super().format(record))


def configure(level: str) -> None:
    """Set up structlog for this process; `level` is a name of the logging module."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            clean_values,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
