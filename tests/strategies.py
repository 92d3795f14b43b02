"""Texts for property tests, in as few draws as possible: each draw of hypothesis costs more than what is tested."""

from __future__ import annotations

from hypothesis import strategies as st

ANY_TEXT = st.text(max_size=4)


def joined(
    tokens: tuple[str, ...], most: int, other: st.SearchStrategy[str] = ANY_TEXT
) -> st.SearchStrategy[str]:
    """Up to `most` of `tokens` in a row, with one `other` text among them.

    Two draws: bytes that each stand for a token, and the other text. A list of tokens would be three for each.
    """
    table = (*tokens, None)
    assert len(table) <= 128, "each token has to be drawn as often as the others, or nearly"

    def text(drawn: tuple[bytes, str]) -> str:
        numbers, rest = drawn
        pieces = (table[number % len(table)] for number in numbers)
        return "".join(rest if piece is None else piece for piece in pieces)

    return st.tuples(st.binary(max_size=most), other).map(text)
