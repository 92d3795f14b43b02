"""How a command of a dialer's travels to Redis: as one piece, whatever its length."""

from __future__ import annotations

from redis.exceptions import DataError


class CommandPacker:
    """In place of redis-py's own, which copies what it has so far with each argument, and cuts a command into pieces
    of 6 KB of which each is a write: a script for a hundred calls has a thousand arguments."""

    def pack(self, *words: str | bytes | float) -> list[bytes]:
        """The bytes of one command, whose first word may hold several. Raises DataError for what is neither text,
        bytes nor a number."""
        name = words[0]
        assert isinstance(name, str | bytes)
        parts = [
            b"$%d\r\n%b\r\n" % (len(word), word)
            for word in (*_bytes(name).split(), *(_bytes(word) for word in words[1:]))
        ]
        return [b"*%d\r\n%b" % (len(parts), b"".join(parts))]


def _bytes(word: object) -> bytes:
    if isinstance(word, str):
        return word.encode()
    if isinstance(word, bytes):
        return word
    if isinstance(word, int | float) and not isinstance(word, bool):
        return repr(word).encode()
    raise DataError(f"a word of a command is text, bytes or a number, not {type(word).__name__}")
