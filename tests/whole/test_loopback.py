"""The test server itself: it leaves nothing open, whenever a client comes."""

import gc
import socket
import warnings

import pytest
from loopback import Loopback, whole


def test_connections_that_come_while_it_stops_are_closed_too(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(100):
        with Loopback(whole()) as server:
            clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        for client in clients:
            client.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    assert (caught, caplog.records) == ([], [])
