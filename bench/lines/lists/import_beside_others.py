"""An import of a long list, beside bare COPY, and those who ask the same worker meanwhile."""

from __future__ import annotations

from bench.imports import beside_others

measure = beside_others
