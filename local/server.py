"""`python -m local server`: Carillon in the foreground, from the environment, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from local.api_client import ApiClient
from local.errors import LocalError, exit_status
from local.first_key import first_key
from local.stack import Stack
from settings import SettingsError

ONE_REQUEST_SECONDS = 1.0
"""Some callers signal the process and its group as well: what comes this soon after the first means the same."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> int:
    """Serve what the environment asks for."""
    return serve(lambda: Stack(output=show))


def serve(build: Callable[[], Stack]) -> int:
    """Run a stack until a signal. 0 after an orderly stop, 1 where something cannot start, 2 for a wrong setting."""
    try:
        stack = build()
        _obey_signals(stack)
        with woken_by_signals() as woken, stack:
            threading.Thread(target=_announce, args=(stack,), name="announce", daemon=True).start()
            while True:
                woken.recv(64)
    except KeyboardInterrupt:
        return 0
    except (LocalError, SettingsError) as error:
        print(f"carillon: {error}", file=sys.stderr)
        return exit_status(error)


@contextlib.contextmanager
def woken_by_signals() -> Iterator[socket.socket]:
    """What can be read once a signal has come. `signal.pause` would sleep on after one that came right before it."""
    woken, waking = socket.socketpair()
    with woken, waking:
        waking.setblocking(False)
        signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        try:
            yield woken
        finally:
            signal.set_wakeup_fd(-1)


def show(name: str, line: str) -> None:
    """One line of one child; a terminal that went away is no reason to stop."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{name:<9}| {line}\n")
        sys.stdout.flush()


def _announce(stack: Stack) -> None:
    """Say when the service can be used; one that is not ready yet keeps trying, so it stays up."""
    try:
        stack.wait_ready()
        show("owner", f"ready: {stack.web_url} (data in {stack.home})")
        show("owner", f"board: {_way_in(stack)}")
    except LocalError as error:
        if not stack.stopping:
            show("owner", str(error))


def _way_in(stack: Stack) -> str:
    """A link to the board that signs in once; where the first key is not known here, the board's address."""
    try:
        key, _ = first_key(stack.home, stack.settings.bootstrap_key)
        return f"{ApiClient(stack.web_url, key).sign_in_link()} (signs in once, within ten minutes)"
    except (LocalError, OSError, http.client.HTTPException):
        return f"{stack.web_url}/ (sign in with an API key)"


def _obey_signals(stack: Stack) -> None:
    """The first signal stops everything in order, wherever we are; the next ends the patience with the children."""
    asked_at: float | None = None

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked_at
        if asked_at is None:
            asked_at = time.monotonic()
            if not stack.stopping:
                with contextlib.suppress(
                    OSError
                ):  # not `show`: its buffer may be in use right where we interrupt
                    os.write(
                        1,
                        f"owner    | {signal.Signals(number).name}: stopping (once more to kill)\n".encode(),
                    )
                raise KeyboardInterrupt
        elif time.monotonic() - asked_at >= ONE_REQUEST_SECONDS:
            stack.hurry()

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:
            signal.signal(number, on_signal)
