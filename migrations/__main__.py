"""`python -m migrations`: the release process, which brings the schema up to date and sees to the first key.

`python -m migrations new-key --role platform` makes another key and shows it, once, on standard output.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from peewee import PeeweeException
from psycopg import Error as DriverError

from migrations import api_keys
from migrations.runner import is_contracted, migrate
from server_faults import reason_of
from server_urls import without_secrets
from settings import Settings, SettingsError


def main(arguments: Sequence[str] = ()) -> int:
    """Exit 0 when it is done, 2 for a setting or an argument that is wrong, 1 where the database cannot be used."""
    asked = _parser().parse_args(arguments)
    try:
        settings = Settings.from_environ().require("database_url", "secret_key")
        for warning in settings.warnings:
            _complain(warning)
        return new_key(settings, asked) if asked.command else release(settings)
    except (SettingsError, api_keys.NoKeyMadeError) as error:
        _complain(str(error))
        return 2
    except (PeeweeException, DriverError) as error:
        where = without_secrets(Settings.from_environ().database_url or "")
        _complain(f"DATABASE_URL is {where!r}; the database says: {reason_of(error)}.")
        return 1


def release(settings: Settings) -> int:
    """Bring the schema up to date, and say what a person has to know of the first key."""
    assert settings.database_url is not None
    assert settings.secret_key is not None
    for name in migrate(settings.database_url):
        _say(f"applied {name}")
    if not is_contracted(settings.database_url):
        _say("What the last release needs stays: a dialer of it is at work. Run this again once it is gone.")
    for sentence in api_keys.prepare(settings.database_url, settings.secret_key, settings.bootstrap_key):
        _say(sentence)
    return 0


def new_key(settings: Settings, asked: argparse.Namespace) -> int:
    """Make the key that was asked for."""
    assert settings.database_url is not None
    assert settings.secret_key is not None
    show: Callable[[str], object] = _say
    if asked.into is not None:
        into: Path = asked.into
        show = lambda key: api_keys.write(into, key)  # noqa: E731
    wanted = api_keys.Wanted(asked.role, asked.tenant, asked.name)
    try:
        made = api_keys.make(settings.database_url, settings.secret_key, wanted, show, if_none=asked.if_none)
    except OSError as error:
        raise api_keys.NoKeyMadeError(
            f"The key cannot be written to {asked.into}: {error.strerror}."
        ) from error
    if made and asked.into is not None:
        _say(f"wrote a key of role {asked.role} to {asked.into}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m migrations", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command")
    key = commands.add_parser("new-key", help="make a key, and show it once", allow_abbrev=False)
    key.add_argument("--role", required=True, help="read, operate, admin or platform")
    key.add_argument("--tenant", help="whose it is; the first tenant's by default")
    key.add_argument("--name", default="made by the operator", help="by which it is told from others")
    key.add_argument("--if-none", action="store_true", help="only where there is no key of role platform")
    key.add_argument("--into", type=Path, metavar="FILE", help="write it there, mode 600, and do not show it")
    return parser


def _say(sentence: str) -> None:
    """At once: a key that nobody could be shown must not be committed."""
    print(sentence, flush=True)  # noqa: T201


def _complain(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
