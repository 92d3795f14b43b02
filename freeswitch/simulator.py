"""`python -m freeswitch.simulator`: the old name, until 0.2, of `python -m simulator`.

Kept for one release, for those who start it by its old name.
"""

from __future__ import annotations

import runpy

if __name__ == "__main__":
    runpy.run_module("simulator", run_name="__main__", alter_sys=True)
