"""The caps: one Lua call over all of them; and the roster of living dialers. Redis and its clock only."""
