"""`python -m local server`: Carillon in the foreground, from the environment, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from types import FrameType

from local.errors import LocalError, UnusableSettingError
from local.stack import Stack
from settings import SettingsError

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> int:
    """Exit 0 after an orderly stop, 1 where something cannot start, 2 where a setting is wrong."""
    try:
        stack = Stack(output=_show)
        _obey_signals(stack)
        with stack:
            threading.Thread(target=_announce, args=(stack,), name="announce", daemon=True).start()
            while True:
                signal.pause()
    except KeyboardInterrupt:
        return 0
    except (LocalError, SettingsError) as error:
        print(f"carillon: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError | UnusableSettingError) else 1


def _show(name: str, line: str) -> None:
    """One line of one child; a terminal that went away is no reason to stop."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{name:<9}| {line}\n")
        sys.stdout.flush()


def _announce(stack: Stack) -> None:
    """Say when the service can be used; one that is not ready yet keeps trying, so it stays up."""
    try:
        stack.wait_ready()
        _show("owner", f"ready: {stack.web_url} (data in {stack.home})")
    except LocalError as error:
        if not stack.stopping:
            _show("owner", str(error))


def _obey_signals(stack: Stack) -> None:
    """The first signal stops everything in order, wherever we are; the next ends the patience with the children."""
    asked = False

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked or stack.stopping:
            stack.hurry()
        else:
            asked = True
            _show("owner", f"{signal.Signals(number).name}: stopping (once more to kill)")
            raise KeyboardInterrupt

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:
            signal.signal(number, on_signal)
