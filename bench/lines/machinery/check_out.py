"""What the pool of database connections adds to a statement."""

from __future__ import annotations

from bench.database import checking_out

IN_PAIRS = True

measure = checking_out
