"""Validation of the values of an action: none means more to the switch than the one argument it is."""

from __future__ import annotations

import re
from collections.abc import Callable

from campaigns.actions import ActionRefused
from campaigns.errors import NumberRefused, quoted
from campaigns.numbers import phone_number
from campaigns.speech import speakable

MAX_TEXT = 500
MAX_FILE = 1_000
_BRACE = re.compile("[{}]")

TEMPLATE = re.compile(r"\{([^{}]{1,64})\}")
# Quotes, parentheses, braces, backslashes, ^ and $ mean something to the switch's own readers of an
# application's argument, as a | does where it speaks a text; control characters end a command.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff'\"`(){}\\\\^$|]")
PATH = re.compile(r"[A-Za-z0-9_.~-]+(?:/[A-Za-z0-9_.~-]+)*")
URL = re.compile(r"https://([A-Za-z0-9.-]+(?::[0-9]{1,5})?)/[A-Za-z0-9_./?&=%+~-]*")
# FreeSWITCH's tone language: settings (v=-7), then tones %(on ms, off ms, frequencies).
TONE = re.compile(
    r"(?:[lvcdrw]=[-+]?[0-9]{1,5}(?:\.[0-9]{1,3})?;|L=[0-9]{1,3};)*"
    r"(?:%\([0-9]{1,5},[0-9]{1,5}(?:,[0-9]{1,5}(?:\.[0-9]{1,3})?){1,4}\);?){1,16}"
)
EXTENSION = re.compile(r"[0-9A-Za-z_*#-]{1,64}")
# No dot: `tenant.room` then has one reading only, whatever the tenant is called.
ROOM = re.compile(r"[0-9A-Za-z_-]{1,64}")
NUMBER_CHARACTERS = re.compile(r"[+0-9 ()./-]*")


def check_sample(where: str, written: str, value: str, check: Callable[[str, str], str]) -> None:
    """Check `value` with a digit for each template; what is refused is told as it was `written`."""
    try:
        check(where, TEMPLATE.sub("0", value))
    except ActionRefused as refused:
        raise ActionRefused(where, written, refused.rule) from refused


def checked_text(where: str, text: str) -> str:
    """A text as it is spoken: signs in it are put into words first (`campaigns.speech`)."""
    spoken = speakable(text)
    if not 1 <= len(spoken) <= MAX_TEXT:
        raise ActionRefused(where, text, f"it must be a text of 1 to {MAX_TEXT} characters as it is spoken")
    return _without_forbidden(where, spoken)


def checked_written_text(where: str, text: str) -> str:
    """A text that an agent's author wrote, with its templates: a brace of no template is a mistake in one."""
    if "${" in text or _BRACE.search(TEMPLATE.sub("", text)):
        raise ActionRefused(
            where, text, "a column of the list stands in it as {column}, without a $ or more braces"
        )
    check_sample(where, text, text, checked_text)
    return text


def checked_file(where: str, file: str) -> str:
    _without_forbidden(where, file)
    path = file.removeprefix("https://").partition("?")[0]
    if len(file) > MAX_FILE or "//" in path or ".." in path or path.endswith("/"):
        raise ActionRefused(where, file, "it must name a file, without .. and empty parts")
    if file.startswith("https://"):
        if not URL.fullmatch(file):
            raise ActionRefused(where, file, "it must be an https URL, with anything unusual percent-encoded")
    elif not PATH.fullmatch(file.removeprefix("/")):
        raise ActionRefused(where, file, "it must be a path of letters, digits and _ . ~ -")
    return file


def checked_path(where: str, path: str) -> str:
    """A file as a tenant names it: a path below the sound folder."""
    _without_forbidden(where, path)
    if len(path) > MAX_FILE or ".." in path or not PATH.fullmatch(path):
        raise ActionRefused(
            where, path, "it must be a path of letters, digits and _ . ~ - below the sound folder, without .."
        )
    return path


def checked_extension(where: str, extension: str) -> str:
    if not EXTENSION.fullmatch(extension):
        raise ActionRefused(where, extension, "it must be 1 to 64 of 0-9 A-Z a-z _ * # -")
    if extension.startswith("-"):
        # To the switch an option: -bleg and -both send somebody else there.
        raise ActionRefused(where, extension, "it must not begin with -")
    return extension


def checked_number(where: str, number: str, region: str | None) -> str:
    try:
        return phone_number(number, region)
    except NumberRefused as refused:
        raise ActionRefused(where, number, refused.reason) from refused


def checked_room(where: str, room: str) -> str:
    if not ROOM.fullmatch(room):
        raise ActionRefused(where, room, "it must be 1 to 64 of 0-9 A-Z a-z _ -")
    return room


def _without_forbidden(where: str, value: str) -> str:
    found = _FORBIDDEN.search(value)
    if found is not None:
        raise ActionRefused(where, value, f"{quoted(found[0])} may not stand in it")
    return value
