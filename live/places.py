"""How many listeners a web process has places for: each has a file open, and requests and servers need some, too."""

from __future__ import annotations

import resource
from typing import Final

MOST_LISTENERS: Final = 8_000
"""Of one process: a tenant alone may have three quarters of them (`hub.Limits`), and so 5,000 boards (bench line
`listeners`)."""
OTHER_FILES: Final = 500
"""Connections to PostgreSQL and Redis, requests that are under way, uploads."""
FILES: Final = MOST_LISTENERS + 2_000
"""What a web process asks for, and its connections of all kinds."""


def places(files: int) -> int:
    """For how many listeners there is room in a process that may have so many files open; at least one."""
    return max(1, min(MOST_LISTENERS, files - OTHER_FILES))


def may_open() -> int:
    """How many files this process may have open; FILES where nothing bounds them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return FILES if soft == resource.RLIM_INFINITY else soft


def open_more() -> None:
    """Let this process and those that it forks have FILES open, or as many as the machine's owner lets them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
