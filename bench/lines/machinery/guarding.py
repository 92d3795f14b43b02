"""What is done for each call, or many times a second, and has to be next to nothing."""

from __future__ import annotations

from bench.hot_paths import guarding

measure = guarding
