"""Whether this gunicorn worker is shutting down.

gunicorn waits for open requests when it stops a worker, and a stream never ends by itself. `post_worker_init` in its
configuration stores the worker here; without one (tests, other servers) a process serves until it is gone.
"""

from __future__ import annotations

worker: object | None = None


def alive() -> bool:
    """False once the worker has been told to stop."""
    return worker is None or bool(getattr(worker, "alive", True))
