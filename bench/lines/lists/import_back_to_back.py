"""An import of a long list beside clients that ask the same worker back to back."""

from __future__ import annotations

from bench.imports import back_to_back

measure = back_to_back
