"""`python -m simulator`: where the simulator was until 0.2. It is `python -m simulator` now.

Kept for one release, for those who start it by its old name.
"""

from __future__ import annotations

import runpy

if __name__ == "__main__":
    runpy.run_module("simulator", run_name="__main__", alter_sys=True)
