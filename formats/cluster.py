"""``TF_CONFIG``: the environment variable that names the hosts of one training."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VARIABLE = "TF_CONFIG"

JOBS = ("chief", "worker")
"""The jobs of hosts that train together, in the order of their numbering."""

REMEDY = f"correct {VARIABLE}, or unset it to train on this machine alone"


class ClusterConfigError(ValueError):
    """``TF_CONFIG`` does not describe a cluster; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Host:
    """One host of a training.

    Attributes:
        job: ``chief`` or ``worker``.
        index: its index within the job.
        name: name or IP address.
        port: the port that it listens on.
    """

    job: str
    index: int
    name: str
    port: int

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.job} {self.index} at {name}:{self.port}"


@dataclass(frozen=True)
class Cluster:
    """The hosts of a training.

    Attributes:
        hosts: all of them, the chief first.
        position: index of this host in ``hosts``.
    """

    hosts: tuple[Host, ...]
    position: int

    @property
    def others(self) -> tuple[Host, ...]:
        """Every host except this one."""
        return self.hosts[: self.position] + self.hosts[self.position + 1 :]


def read_cluster(environment: Mapping[str, str]) -> Cluster | None:
    """Reads the cluster that the environment names; None if this machine trains alone.

    Raises:
        ClusterConfigError: the variable is empty, is not JSON, or does not name this host.
    """
    text = environment.get(VARIABLE)
    if text is None:
        return None
    values = _parse(text)
    jobs = values.get("cluster") or {}
    if not isinstance(jobs, dict):
        raise _error(f"cluster is {jobs!r}, not an object of host lists by job")
    if unknown := sorted(set(jobs) - {*JOBS, "evaluator"}):
        raise _error(f"the job {unknown[0]!r} is not supported; known jobs: {', '.join(JOBS)}")
    addresses = [
        (address, job, index)
        for job in JOBS
        for index, address in enumerate(_addresses(jobs.get(job, [])))
    ]
    try:
        hosts = tuple(parse_address(*address) for address in addresses)
    except ValueError as error:
        raise _error(str(error)) from None
    if len(hosts) < 2:
        return None
    return Cluster(hosts, _position(hosts, values.get("task")))


def parse_address(address: Any, job: str, index: int) -> Host:
    """Parses ``NAME:PORT``; an IPv6 address is in brackets.

    Raises:
        ValueError: the address has another form.
    """
    name, colon, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    if not (colon and name and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{job} {index} is {address!r}, not NAME:PORT")
    return Host(job, index, name.strip("[]"), int(port))


def _parse(text: str) -> dict[str, Any]:
    if not text.strip():
        raise ClusterConfigError(f"{VARIABLE} is set but empty; {REMEDY}")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise _error(f"{text[:60]!r} is not JSON") from None
    if not isinstance(values, dict):
        raise _error(f"{text[:60]!r} is not a JSON object")
    return values


def _addresses(addresses: Any) -> list[Any]:
    if not isinstance(addresses, list):
        raise _error(f"the hosts of a job are {addresses!r}, not a list")
    return addresses


def _position(hosts: tuple[Host, ...], task: Any) -> int:
    if not isinstance(task, dict) or not {"type", "index"} <= set(task):
        raise _error("task is missing its type and index, so this host does not know its place")
    job, index = task["type"], task["index"]
    places = [(host.job, str(host.index)) for host in hosts]
    if isinstance(index, bool) or (job, str(index)) not in places:
        hosts_of_cluster = ", ".join(f"{known_job} {number}" for known_job, number in places)
        raise _error(f"task is {job} {index}, but the cluster has {hosts_of_cluster}")
    return places.index((job, str(index)))


def _error(reason: str) -> ClusterConfigError:
    return ClusterConfigError(f"{VARIABLE}: {reason}; {REMEDY}")
