"""How to speak to FreeSWITCH: protocol, commands, connection, cluster, events. Imports nothing of ours."""
