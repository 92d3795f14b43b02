"""Real seconds and rates, which are judged under --full alone: otherwise they would ask for a fast machine.

A test that asks for the fixture `judge` is one of them: `python -m tests --full` runs these by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

JUDGED, ONLY, OTHERS = "--judged", "only", "others"


@dataclass(frozen=True, slots=True)
class Judge:
    """Says what was measured, and fails where it is out of bounds and `full`."""

    full: bool

    def at_most(self, figure: float, bound: float, what: str) -> None:
        """It took so long, or was so many."""
        self._judge(figure <= bound, f"{what}: {figure:.3f}, at most {bound:g}")

    def at_least(self, figure: float, bound: float, what: str) -> None:
        """There was so much of it."""
        self._judge(figure >= bound, f"{what}: {figure:.3f}, at least {bound:g}")

    def _judge(self, fine: bool, said: str) -> None:
        print(said)
        assert fine or not self.full, said
