"""`python -m tests.unit.freeswitch.fuzzing CORPUS [libFuzzer options]`: searches for bytes that break the protocol.

Coverage-guided; ends with a status other than 0 and the bytes that did it when one of the oracles fails, when an
input takes too long, or when memory grows without bound.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["freeswitch.protocol", "freeswitch.events", "freeswitch.decoding"]):
    from tests.unit.freeswitch import oracles


def one_input(data: bytes) -> None:
    """The first byte says which oracle is asked, the second how the stream is split."""
    kind, size, rest = data[:1], data[1:2], data[2:]
    if kind == b"V":
        oracles.check_values(rest.decode("utf-8", "replace"), rest)
    elif kind == b"B":
        oracles.check_body(rest)
    else:
        oracles.check_stream(rest, [1 + (size[0] if size else 0), 1, 7])


def main() -> None:
    """Fuzz until a limit among the options ends it."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
