"""The sockets to the nodes keep to what recovery relies on."""

from __future__ import annotations

from gevent import socket

from freeswitch.sockets import UNACKNOWLEDGED_SECONDS, open_socket


def test_what_a_node_has_not_acknowledged_is_not_sent_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = open_socket("127.0.0.1", server.getsockname()[1], 5.0, 5.0)
        try:
            waits = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        finally:
            sock.close()
    assert waits == UNACKNOWLEDGED_SECONDS * 1000
