"""The whole system as deployed, on this machine: web, two dialers, two simulated nodes, PostgreSQL and Valkey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.api_client import ApiClient
from local.demo import DIALERS, demo_stack
from local.stack import Stack
from tests.e2e.parts import Parts, whole
from tests.e2e.rig import dialer_ids_of, polled

StackMaker = Callable[..., Stack]


@pytest.fixture
def make_stack(server_home: Path, tmp_path: Path) -> Iterator[StackMaker]:
    """Starts stacks of one's own, for tests that break them; each is ready when it is returned."""
    with ExitStack() as stacks:

        def make(**overrides: object) -> Stack:
            said: list[str] = []
            home = server_home / f"{tmp_path.name}-{len(str(stacks))}-{id(said)}"
            stack = demo_stack(
                home,
                **{"port": 0, "durable": False, "output": lambda name, line: said.append(f"{name}: {line}")}
                | overrides,
            )
            stacks.callback(lambda: print("\n".join(said[-400:])))
            stacks.enter_context(stack)
            stack.wait_ready()
            return stack

        yield make


@pytest.fixture(scope="session")
def said() -> list[str]:
    """What the processes of the common stack have logged."""
    return []


@pytest.fixture(scope="session")
def common_stack(server_home: Path, said: list[str]) -> Iterator[Stack]:
    """The stack behind `stack`."""

    def output(name: str, line: str) -> None:
        said.append(line)
        print(f"{name}: {line}")

    with demo_stack(server_home / "e2e", port=0, durable=False, output=output) as running:
        yield running


@pytest.fixture
def stack(common_stack: Stack) -> Stack:
    """One stack for all tests that leave it whole, or so that it becomes whole by itself; whole."""
    common_stack.wait_ready()
    polled(lambda: len(living_dialers(common_stack)) == DIALERS, "every dialer")
    return common_stack


def living_dialers(stack: Stack) -> list[int]:
    """The process ids of those whose lease runs."""
    pids = [pid for name, pid in stack.pids.items() if name.startswith("dialer.")]
    return [pid for pid in pids if dialer_ids_of(stack, pid)]


@pytest.fixture(scope="session")
def parts(server_home: Path) -> Iterator[Parts]:
    """One installation for all tests that take parts of it away; each gives back what it took."""
    with whole(server_home / "parts") as found:
        yield found


def client_of(stack: Stack) -> ApiClient:
    """A client with the first key, of role platform."""
    return ApiClient(stack.web_url, (stack.home / "demo.key").read_text().strip())


@pytest.fixture
def client(stack: Stack) -> ApiClient:
    """A client of the common stack."""
    return client_of(stack)
