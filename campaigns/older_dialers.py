"""Whether a dialer of an older release may still run: whoever asks refuses until then what it would not heed."""

from __future__ import annotations

from models import rows

_OLDER = "SELECT 1 FROM dialer WHERE settled_at IS NULL AND coalesce(knows, 0) < %s LIMIT 1"


def may_run(knows: int) -> bool:
    """Whether a dialer that does not know the migration `knows` has not been settled yet. In the caller's
    transaction."""
    return bool(rows(_OLDER, knows))
