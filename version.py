"""The version of Carillon, here and nowhere else: the API's document and the package say this one."""

from __future__ import annotations

VERSION = "0.2.0"
