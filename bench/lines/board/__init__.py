"""The board, as browsers have it."""
