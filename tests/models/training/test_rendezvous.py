import logging
import socket
import threading
import time

import pytest

from formats.cluster import Cluster, Host
from models.training import rendezvous
from models.training.rendezvous import HostUnreachableError, meet_hosts, wait_for


@pytest.fixture
def hosts(monkeypatch):
    monkeypatch.setattr(rendezvous, "POLL_SECONDS", 0.01)
    sockets = [socket.create_server(("", 0)) for _ in range(2)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return tuple(Host("worker", i, "localhost", port) for i, port in enumerate(ports))


@pytest.mark.slow
def test_hosts_that_start_one_after_another_connect(hosts):
    times, both = [], threading.Barrier(2)

    def come(position, delay):
        time.sleep(delay)
        times.append(("came", position))
        meet_hosts(Cluster(hosts, position), 30)
        times.append(("met", position))
        # TensorFlow listens on the port next.
        with socket.create_server(("", hosts[position].port)):
            both.wait(30)

    late = threading.Thread(target=come, args=(1, 0.2))
    late.start()
    come(0, 0)
    late.join()
    assert times[:2] == [("came", 0), ("came", 1)]
    assert sorted(times[2:]) == [("met", 0), ("met", 1)]


def test_the_awaited_host_is_logged_and_then_named_in_the_error(hosts, caplog):
    with (
        caplog.at_level(logging.INFO, "higgs.trainer"),
        pytest.raises(HostUnreachableError) as error,
    ):
        meet_hosts(Cluster(hosts, 0), 0.05)
    address = f"worker 1 at localhost:{hosts[1].port}"
    assert caplog.messages == [
        f"waiting for {address} ([Errno 111] Connection refused), for at most 0.000833333 minutes"
    ]
    assert str(error.value).startswith(f"{address} did not answer within")
    assert "trainer.cluster_timeout_minutes" in str(error.value)


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a" * 70, "a..b", "\0"])
def test_a_name_that_does_not_resolve_is_awaited_too(name):
    with pytest.raises(HostUnreachableError, match="did not answer within"):
        wait_for([Host("chief", 0, name, 2222)], -1, "correct it")


def test_a_port_that_is_taken_is_named(hosts):
    with (
        socket.create_server(("", hosts[0].port)),
        pytest.raises(HostUnreachableError, match=f"localhost:{hosts[0].port}, cannot listen"),
    ):
        meet_hosts(Cluster(hosts, 0), 1)
