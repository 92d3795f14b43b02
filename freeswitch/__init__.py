"""FreeSWITCH client: protocol, commands, connection, cluster, events. Of ours it imports `cooperative`."""
