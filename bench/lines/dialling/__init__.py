"""From a contact that is due to a call that is over: what it costs, and how much of what is allowed is used."""
