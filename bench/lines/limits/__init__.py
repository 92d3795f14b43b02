"""The caps, and how they are shared."""
