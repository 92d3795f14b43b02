"""The caps over calls: one Lua call decides over all of them. Redis and its clock only."""
