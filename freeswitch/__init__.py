"""How to speak to FreeSWITCH: protocol, commands, connection, cluster, events. Of ours it imports `cooperative`."""
