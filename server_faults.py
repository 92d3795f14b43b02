"""What an error of a server's client says, in one line that a person can act on and that tells no secret.

For PostgreSQL (psycopg, peewee) and Redis (redis-py); pure, and free of the drivers, as `server_urls` is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LONGEST = 300

_SEVERITY = re.compile(r"(?:FATAL|ERROR|PANIC):\s+")
_PREFIXES = re.compile(
    r"(?:connection (?:failed|is bad)|connection to server at [^\n]*? failed|Redis is unavailable for [^:]+): "
)
_ERRNO = re.compile(r"Error -?\d+ (?:connecting|while reading) to? ?\S+?\. ")

DISK_FULL = "53100"
FULL_DISK = "its disk is full; make room there"

BY_STATE: Mapping[str, str] = {
    DISK_FULL: FULL_DISK,
    "53300": "it takes no more connections (max_connections)",
    "57P03": "it is starting up or shutting down",
    "25006": "it takes no writes: it is a standby, or set to read only",
    "42501": "its user may not do that",
}
"""What an SQLSTATE means where the server's own words need none of the rest."""

_MEANINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"MISCONF|No space left on device"), FULL_DISK),
    (re.compile(r"OOM command not allowed"), "its memory is full (maxmemory); give it more"),
    (
        re.compile(
            r"invalid username-password pair|invalid password|WRONGPASS|password authentication failed"
        ),
        "it refuses the user or the password",
    ),
    (re.compile(r"NOAUTH|Authentication required"), "it asks for a password, and the URL has none"),
    (re.compile(r"READONLY"), "it takes no writes: it is a replica"),
    (
        re.compile(r"self[- ]signed certificate|CERTIFICATE_VERIFY_FAILED|certificate verify failed"),
        "its certificate is not trusted (docs/deploying.md, Servers elsewhere)",
    ),
    (
        re.compile(r"server does not support SSL|WRONG_VERSION_NUMBER|wrong version number"),
        "it does not speak TLS",
    ),
    (re.compile(r"no pg_hba.conf entry .*no encryption", re.DOTALL), "it wants TLS: add ?sslmode=require"),
    (
        re.compile(
            r"could not translate host name|Name or service not known|name resolution|-[235] connecting"
        ),
        "its host name is not known",
    ),
    (re.compile(r"Connection refused"), "nothing listens there"),
    (re.compile(r"timeout expired|[Tt]imed out|Timeout connecting"), "it does not answer"),
    (
        re.compile(r"relation \"\w+\" does not exist|column \S+ does not exist"),
        "its schema is not up to date",
    ),
)


def reason_of(error: BaseException | str) -> str:
    """The reason in one line, without a full stop at its end."""
    text = str(error).strip()
    state = "" if isinstance(error, str) else state_of(error)
    if state in BY_STATE:
        return BY_STATE[state]
    for pattern, meaning in _MEANINGS:
        if pattern.search(text):
            return f"{meaning} ({_own_words(text)})"
    return _own_words(text) or type(error).__name__


def state_of(error: BaseException) -> str:
    """The SQLSTATE of a database's error, also where peewee wraps it; empty where it has none."""
    for one in (error, error.__cause__, *error.args, getattr(error, "orig", None)):
        found = getattr(one, "sqlstate", None)
        if found:
            return str(found)
    return ""


def _own_words(text: str) -> str:
    """The server's or the system's own words of the first of what may be several lines."""
    line = _PREFIXES.sub("", text.partition("\n")[0])
    severity = _SEVERITY.search(line)
    line = _ERRNO.sub("", line[severity.end() :] if severity else line).strip().rstrip(".")
    line = "".join(character if character.isprintable() else " " for character in line)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
