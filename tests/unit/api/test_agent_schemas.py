"""What of an agent's action a database can keep."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from api.routes.agent_schemas import AgentBody

# Backslashes, and what spells out NUL behind an odd number of them.
SAYINGS = st.lists(st.sampled_from(["\\", "\\u0000", "u0000", "\0", "a", "\ud800"]), max_size=6).map("".join)


def storable(text: str) -> bool:
    action = {"type": "playback", "say": text}
    problems = AgentBody().validate({"name": "a", "action": action})
    return "action" not in problems


@given(SAYINGS)
@example("@host\\u0000")
def test_only_nul_itself_is_refused_and_not_its_name(text: str) -> None:
    assert storable(text) is not bool({"\0", "\ud800"} & set(text))
