"""CARILLON_HOME: the folder for an installation without servers of its own.

Files with secrets are private; the folder itself may be passed through (never listed) when root made it, so that the
unprivileged user that PostgreSQL runs as can reach its data.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from types import TracebackType

from local.errors import HomeInUseError, LocalError, UnusableSettingError


def prepare(home: Path) -> Path:
    """Make the folder where it is missing; its absolute path.

    Raises UnusableSettingError where that is impossible.
    """
    home = home.absolute()
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            home.mkdir()
            home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise UnusableSettingError(f"CARILLON_HOME: cannot make {home}: {error.strerror}") from error
    if not home.is_dir():
        raise UnusableSettingError(f"CARILLON_HOME: {home} is not a folder")
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise UnusableSettingError(
            f"CARILLON_HOME: {home} belongs to another user; run as that user, or set CARILLON_HOME"
        )
    return home


def secret(path: Path, length: int = 32) -> str:
    """The secret kept in `path` (mode 600), made on first use; `length` random bytes, written URL-safe."""
    try:
        kept = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        kept = ""
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}") from error
    if kept:
        return kept
    made = secrets.token_urlsafe(length)
    write_private(path, made + "\n")
    return made


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


class Lock:
    """One living owner for a folder. The kernel drops it when the owner dies, however that happens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises HomeInUseError, naming the holder, where somebody living has it."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LocalError(
                f"cannot open {self.path}: {error.strerror}; run as the user who owns it"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode("ascii", errors="replace").strip()
            os.close(descriptor)
            raise HomeInUseError(self.path.parent, holder or "(unknown)") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; harmless when not held. The file stays: removing it would let two owners lock two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
