"""`script/demo` to its end: it dials on what it brings along, tells where to look, and serves until Ctrl-C."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.api_client import ApiClient
from local.demo import NOT_OURS
from local.home import prepare
from local.process import carrying, free_port
from local.stack import OWNER_VARIABLE
from tests.integration.local.owner_process import line_of, owner, wait_until_gone
from tests.waiting import HANG_SECONDS

# The demo's own list takes half a minute; a short one shows the same.
DEMO = """
import sys
from pathlib import Path
from local import demo
demo.LIST = Path(sys.argv[1])
sys.exit(demo.main([]))
"""
CONTACTS = 4


@contextlib.contextmanager
def demo(home: Path, contacts: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The demo over a list; nothing of it is left at the end, also where a test fails."""
    try:
        with owner(DEMO, contacts, environ=environ) as process:
            yield process
    finally:
        wait_until_gone(*carrying(OWNER_VARIABLE, str(home / "demo")), timeout=HANG_SECONDS)


@pytest.mark.full
def test_the_demo_dials_what_is_its_own_tells_where_it_serves_and_ends_with_ctrl_c(
    home: Path, tmp_path: Path
) -> None:
    contacts = tmp_path / "contacts.csv"
    numbers = "".join(f"+1573555{number:02}10\n" for number in range(CONTACTS))
    contacts.write_text(f"phone_number\n{numbers}", encoding="ascii")
    productions_key = prepare(home) / "demo.key"
    productions_key.write_text("of production\n", encoding="ascii")
    with socket.create_server(("127.0.0.1", 0)) as production:
        production.setblocking(False)
        there = f"127.0.0.1:{production.getsockname()[1]}"
        environ = {
            "CARILLON_HOME": str(home),
            "PORT": str(free_port()),
            "FREESWITCH_URLS": f"esl://:ClueCon@{there}",
            "DATABASE_URL": f"postgresql://carillon:secret@{there}/carillon",
            "REDIS_URL": f"redis://{there}/0",
        }
        with demo(home, contacts, environ) as process:
            said = [line_of(process)]
            while "Serving on" not in said[-1]:
                said.append(line_of(process))
            told = "\n".join(said)
            own = f"The demo's servers and nodes are its own, in {home / 'demo'}."
            assert said[0] == f"Not used here: {', '.join(NOT_OURS)}. {own}"
            assert "every contact is settled." in told
            found = re.search(r"^API: +(\S+)\nCampaign: (\S+)\nKey: +(.+)$", told, re.MULTILINE)
            assert found, told
            api, campaign, key = found.groups()
            with urllib.request.urlopen(api, timeout=10) as page:
                assert page.status == 200
            base, _, path = campaign.partition("/api/")
            answer = ApiClient(base, Path(key).read_text(encoding="ascii").strip()).get(f"/api/{path}")
            assert (answer["status"], answer["counts"]["total"]) == ("completed", CONTACTS)
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=HANG_SECONDS)
            assert (process.returncode, rest.strip()) == (0, "")
            assert carrying(OWNER_VARIABLE, str(home / "demo")) == []
        with pytest.raises(BlockingIOError):
            production.accept()
    assert productions_key.read_text(encoding="ascii") == "of production\n"
