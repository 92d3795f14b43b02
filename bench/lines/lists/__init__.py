"""Uploaded lists."""
