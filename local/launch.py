"""Exec wrapper of everything the owner starts: drops root, dies with its parent.

Run by path, as `python -I -S launch.py PARENT SIGNAL USER -- /PATH/TO/COMMAND…`, and replaced by the command, so
the process id stays the same. It gives up root where `USER` is `uid:gid` (and not `-`), and asks the kernel to send
`SIGNAL` when the owner dies, however that happens. The order matters: the kernel forgets the request when the
user changes. A fresh program rather than a hook after fork: a hook runs Python in a copy of a process that has
threads, and cannot tell an owner that died in between. What the command writes is for its user alone: the home of
root can be passed through, and a ledger holds phone numbers.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CANNOT_DROP_ROOT = 125
OWNER_GONE = 124
CANNOT_RUN = 126


def main(argv: list[str]) -> int:
    """Become the command; returns a status only where that was impossible."""
    parent, signal_number, user = int(argv[0]), int(argv[1]), argv[2]
    command = argv[4:]
    os.umask(0o077)
    if user != "-":
        uid, gid = (int(part) for part in user.split(":"))
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        except OSError as error:
            print(f"cannot become user {uid}: {error.strerror}", file=sys.stderr)
            return CANNOT_DROP_ROOT
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        return OWNER_GONE
    try:
        os.execv(command[0], command)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
