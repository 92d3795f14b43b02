"""The board, asked as a browser asks it."""
