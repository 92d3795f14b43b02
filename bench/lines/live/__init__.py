"""The event streams and their listeners."""
