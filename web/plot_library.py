"""pygal, for whoever draws with it: without what it leaves behind when it is imported."""

from __future__ import annotations

import sys

import pygal

__all__ = ["pygal"]

# A finder of Python 2 for plugins that nobody has, which every later import would ask in vain.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]
