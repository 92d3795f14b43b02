"""`python -m local COMMAND`: what the scripts call."""

from __future__ import annotations

import sys


def main(argv: list[str]) -> int:
    """Run the command; 2 for one that does not exist."""
    if argv == ["server"]:
        from local.server import main as serve

        return serve()
    if argv[:1] == ["demo"]:
        from local.demo import main as demo

        return demo(argv[1:])
    print("usage: python -m local server | demo [--exit]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
