"""What escaping the values of one originate costs, beside a `translate` for each of FreeSWITCH's three passes."""

from __future__ import annotations

from bench.hot_paths import escaping

IN_PAIRS = True

measure = escaping
