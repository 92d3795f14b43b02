"""A FreeSWITCH stand-in that speaks ESL over TCP: `python -m simulator`."""
