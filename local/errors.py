"""Errors of the single-machine stack, said to a person: each is one sentence that names what to do."""

from __future__ import annotations

from pathlib import Path

from settings import SettingsError


class LocalError(Exception):
    """Root of this package's errors; `str()` of it is fit to be shown as it is."""


class UnusableSettingError(LocalError):
    """A setting is well-formed and cannot be used on this machine now."""


class HomeInUseError(UnusableSettingError):
    """Another living process owns the folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        self.folder = folder
        self.holder = holder
        super().__init__(
            f"CARILLON_HOME: {folder} is in use by process {holder}; stop that, or set another folder"
        )


def exit_status(error: LocalError | SettingsError) -> int:
    """What a command ends with because of it: 2 for a setting that is wrong or cannot be used, 1 otherwise."""
    return 2 if isinstance(error, SettingsError | UnusableSettingError) else 1


class ServerFailedError(LocalError):
    """An embedded server did not start; `log` holds the last lines it wrote."""

    def __init__(self, server: str, reason: str, log: str = "") -> None:
        self.server = server
        self.reason = reason
        self.log = log
        super().__init__(f"{server} did not start: {reason}" + (f"\n{log}" if log else ""))
