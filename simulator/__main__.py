"""`python -m simulator`: one simulated FreeSWITCH node."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from simulator.faults import KINDS, FaultError, ScheduledFault, parse_option
from simulator.server import NodeOptions, Server

PR_SET_PDEATHSIG = 1


def parse_options(arguments: Sequence[str]) -> NodeOptions:
    """The command line. A wrong one ends the process with status 2 and a sentence."""
    found = _parser(NodeOptions()).parse_args(arguments)
    gateways = None if found.gateways is None else tuple(name for name in found.gateways.split(",") if name)
    return NodeOptions(**{**vars(found), "gateways": gateways, "faults": tuple(found.faults)})


def _parser(defaults: NodeOptions) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--host", default=defaults.host, help="address to listen on (127.0.0.1)")
    parser.add_argument(
        "--port", type=_between(0, 65_535), default=defaults.port, help="ESL port; 0 picks a free one"
    )
    parser.add_argument("--password", default=defaults.password, help="ESL password (ClueCon)")
    parser.add_argument("--name", default=defaults.name, help="switchname (fs1)")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="seed of the mix")
    parser.add_argument(
        "--speed", type=_positive, default=defaults.speed, help="simulated seconds for each real one (1)"
    )
    parser.add_argument(
        "--sps", type=_between(1, 1_000_000), default=defaults.sps, help="sessions per second; N admits N-1"
    )
    parser.add_argument("--max-sessions", type=_between(1, 1_000_000), default=defaults.max_sessions)
    parser.add_argument(
        "--mix", action="store_true", help="draw outcomes from a seeded mix instead of the number plan"
    )
    parser.add_argument("--ledger", type=Path, help="file to append every originate, ring, answer and end to")
    parser.add_argument("--cdr-dir", type=Path, help="folder for CDR files as mod_json_cdr writes them")
    parser.add_argument(
        "--track-calls",
        type=Path,
        help="folder for answered calls, so that `sofia recover` brings them back",
    )
    parser.add_argument("--gateways", help="comma-separated gateway names; default: any but nosuch...")
    parser.add_argument(
        "--heartbeat", type=_positive, default=defaults.heartbeat, help="seconds between HEARTBEATs (20)"
    )
    parser.add_argument(
        "--control-port",
        type=_between(0, 65_535),
        help="port for faults on demand, on 127.0.0.1; 0 picks a free one; default: none",
    )
    parser.add_argument(
        "--owner",
        type=_between(1, 2**31 - 1),
        help="process id of the parent: the node dies with it, however that ends; default: it lives on",
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        dest="faults",
        metavar="NAME[:KEY=VALUE,...][@FROM[-TO]]",
        help="a fault in force, from the start or for these seconds after it: " + ", ".join(KINDS),
    )
    return parser


def _between(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not between {low} and {high}")
        return value

    return convert


def _fault(text: str) -> ScheduledFault:
    try:
        return parse_option(text)
    except FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> float:
    value = float(text)
    if not 0.01 <= value <= 10_000:
        raise argparse.ArgumentTypeError(f"{value} is not between 0.01 and 10000")
    return value


def main() -> None:
    """Listen, say where, serve until told to stop."""
    options = parse_options(sys.argv[1:])
    if options.owner is not None:
        _die_with(options.owner)
    try:
        server = Server(options)
    except OSError as error:
        sys.exit(f"cannot listen on {options.host}:{options.port}: {error.strerror}")
    control = "" if server.control_port is None else f", control on 127.0.0.1:{server.control_port}"
    sys.stdout.write(f"ESL listening on {options.host}:{server.port}{control}\n")
    sys.stdout.flush()
    if server.run():
        _start_again(server)


def _die_with(owner: int) -> None:
    """Have the kernel kill this process when its parent ends; it does so for whatever this process becomes, too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != owner:
        sys.exit(f"the owner {owner} is gone")


def _start_again(server: Server) -> None:
    """Become a new node on the same ports: what this one knew is gone, and so are its connections."""
    ports = [f"--port={server.port}"]
    if server.control_port is not None:
        ports.append(f"--control-port={server.control_port}")
    ports += [f"--fault={fault}" for fault in server.remaining_faults()]
    replaced = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--port", "--control-port", "--fault"):
        replaced.add_argument(name, action="append")
    _, given = replaced.parse_known_args(sys.argv[1:])
    os.execv(sys.executable, [sys.executable, "-m", "simulator", *given, *ports])


if __name__ == "__main__":
    main()
