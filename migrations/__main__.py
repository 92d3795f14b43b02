"""`python -m migrations`: the release process. Brings the schema up to date, then makes the first key."""

from __future__ import annotations

import sys

from migrations.bootstrap import ensure_first_key
from migrations.runner import is_contracted, migrate
from settings import Settings, SettingsError


def main() -> int:
    """Exit 0 when the schema is current, 2 when a setting is wrong."""
    try:
        settings = Settings.from_environ().require("database_url", "secret_key")
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    assert settings.database_url is not None
    assert settings.secret_key is not None
    for name in migrate(settings.database_url):
        print(f"applied {name}")  # noqa: T201
    if not is_contracted(settings.database_url):
        print("What the last release needs stays: a dialer of it is at work. Run this again once it is gone.")  # noqa: T201
    try:
        written = ensure_first_key(
            settings.database_url, settings.secret_key, settings.home, settings.bootstrap_key
        )
    except OSError as error:
        reason = f"the first key cannot be written there: {error.strerror}"
        print(f"CARILLON_HOME is {str(settings.home)!r}; {reason}.", file=sys.stderr)  # noqa: T201
        return 2
    if written:
        print(f"wrote the first key, of role platform, to {written}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
