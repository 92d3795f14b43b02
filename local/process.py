"""Starting, finding and ending processes: what the embedded servers and the supervisor share.

Everything is started through `launch.py` in a session of its own, so that a Ctrl-C on the terminal reaches the
owner only, and dies when the owner does.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from local.errors import LocalError

LAUNCHER = Path(__file__).with_name("launch.py")
PROC = Path("/proc")
POLL_SECONDS = 0.02
START_SECONDS = 180.0
"""So long may something take to start on a machine that has much else to do: it ends a hang and promises no speed."""


@dataclass(frozen=True, slots=True)
class User:
    """The account that an embedded server runs as."""

    uid: int
    gid: int


def unprivileged_user() -> User:
    """`nobody`, or the first account that is not root where a bare system lacks it.

    Raises LocalError where there is none: initdb insists on an account with a name.
    """
    with contextlib.suppress(KeyError):
        nobody = pwd.getpwnam("nobody")
        return User(nobody.pw_uid, nobody.pw_gid)
    for entry in pwd.getpwall():
        if entry.pw_uid != 0:
            return User(entry.pw_uid, entry.pw_gid)
    raise LocalError(
        "PostgreSQL refuses to run as root and this system has no other user; add one, or set DATABASE_URL"
    )


def spawn(
    argv: Sequence[str | Path],
    *,
    user: User | None = None,
    on_owner_death: signal.Signals = signal.SIGKILL,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` (a path first) in its own session, as `user` where given.

    The kernel sends `on_owner_death` to it when the thread that called this ends, or all of us do.
    """
    account = f"{user.uid}:{user.gid}" if user else "-"
    launcher = [
        sys.executable,
        "-I",
        "-S",
        str(LAUNCHER),
        str(os.getpid()),
        str(int(on_owner_death)),
        account,
        "--",
    ]
    return subprocess.Popen(
        [*launcher, *(str(part) for part in argv)],
        cwd=cwd,
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def run(argv: Sequence[str | Path], *, user: User | None = None, cwd: Path | None = None) -> tuple[int, str]:
    """Run to completion; (exit status, everything it wrote)."""
    with spawn(argv, user=user, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        output, _ = process.communicate()
    return process.returncode, output.decode(errors="replace").strip()


def end(process: subprocess.Popen[bytes], *signals: signal.Signals, grace: float = 10.0) -> int:
    """End a process that `spawn` started: each signal in turn, `grace` seconds each, then SIGKILL to its group."""
    for number in signals:
        if process.poll() is not None:
            break
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def processes() -> Iterator[int]:
    """Ids of the processes on this machine; nothing where there is no /proc."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(PROC):
            if entry.name.isdigit():
                yield int(entry.name)


def carrying(variable: str, value: str) -> list[int]:
    """Ids of the processes, ours excepted, that were started with this variable in their environment."""
    wanted = f"{variable}={value}".encode()
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            if wanted in (PROC / str(pid) / "environ").read_bytes().split(b"\0") and pid != os.getpid():
                found.append(pid)
    return found


def running_in(folder: Path, program: str) -> list[int]:
    """Ids of the processes of `program` whose working directory is `folder`: servers chdir into their data."""
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            if os.path.samefile(PROC / str(pid) / "cwd", folder):
                executable = os.path.basename(os.readlink(PROC / str(pid) / "exe"))
                if executable.removesuffix(" (deleted)") == program:
                    found.append(pid)
    return found


def end_leftovers(
    folder: Path, program: str, leader: int | None, *signals: signal.Signals, grace: float = 10.0
) -> None:
    """End what a dead owner left running in `folder`: `leader` first (its children follow), then whatever stays."""
    for number in (*signals, signal.SIGKILL):
        left = running_in(folder, program)
        if not left:
            return
        for pid in [leader] if leader in left else left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + grace
        while running_in(folder, program) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now. Whoever uses it must be ready to lose the race and ask again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tail(path: Path, lines: int = 10) -> str:
    """The last lines of a log, or nothing."""
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return ""
