"""Rendezvous of the hosts of a training, before TensorFlow connects them.

TensorFlow waits for an absent host forever, without output and in C++, where Ctrl-C has no
effect. Here every host listens on its own port until it has reached all others.
"""

import logging
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from formats.cluster import REMEDY, Cluster, Host

log = logging.getLogger("higgs.trainer")

ATTEMPT_SECONDS = 5.0
POLL_SECONDS = 1.0
REPORT_SECONDS = 30.0
"""Time between two messages about a host that is still awaited."""


class HostUnreachableError(RuntimeError):
    """A host of the training did not answer in time, or this one cannot listen."""


def meet_hosts(cluster: Cluster, timeout: float) -> None:
    """Waits until all hosts of a cluster have called this.

    Args:
        cluster: the hosts; this one listens on its port meanwhile.
        timeout: in seconds, for all of them together.

    Raises:
        HostUnreachableError: a host did not answer in time, or the port is taken.
    """
    with _listening(cluster.hosts[cluster.position]):
        wait_for(cluster.others, timeout, REMEDY)


def wait_for(hosts: Iterable[Host], timeout: float, remedy: str) -> None:
    """Waits until hosts accept connections, and logs whom it waits for.

    Args:
        hosts: the hosts.
        timeout: in seconds, for all of them together.
        remedy: what the user can do, for the error.

    Raises:
        HostUnreachableError: a host did not answer in time.
    """
    start = time.monotonic()
    limit = f"{timeout / 60:g} minutes"
    for host in hosts:
        next_report = 0.0
        while fault := _try_to_reach(host):
            now = time.monotonic()
            if now - start > timeout:
                raise HostUnreachableError(
                    f"{host} did not answer within {limit} ({fault}): start it, {remedy}; "
                    "trainer.cluster_timeout_minutes sets the time"
                )
            if now >= next_report:
                log.info("waiting for %s (%s), for at most %s", host, fault, limit)
                next_report = now + REPORT_SECONDS
            time.sleep(POLL_SECONDS)


def _try_to_reach(host: Host) -> str | None:
    """Connects to a host; returns the reason if that fails."""
    try:
        socket.create_connection((host.name, host.port), timeout=ATTEMPT_SECONDS).close()
    except socket.gaierror as error:
        return f"its name does not resolve: {error.strerror}"
    except (OSError, UnicodeError) as error:  # a label of a name is empty or too long
        return str(error)
    return None


@contextmanager
def _listening(host: Host) -> Iterator[None]:
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    try:
        server = socket.create_server(("", host.port), family=family, dualstack_ipv6=dual)
    except OSError as error:
        raise HostUnreachableError(
            f"this host, {host}, cannot listen on its port ({error.strerror}): {REMEDY}"
        ) from error
    with server:
        yield
