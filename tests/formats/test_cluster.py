import json

import pytest

from formats.cluster import ClusterConfigError, Host, read_cluster


def read(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return read_cluster({"TF_CONFIG": text})


def cluster(task=None, **jobs):
    return {"cluster": jobs, **({"task": task} if task else {})}


WORKERS = ["a:1", "b:2"]


def test_hosts_are_numbered_from_the_chief():
    found = read(
        cluster({"type": "worker", "index": 0}, worker=WORKERS, chief=["[fe80::1]:9"], evaluator=[])
    )
    assert found.hosts == (
        Host("chief", 0, "fe80::1", 9),
        Host("worker", 0, "a", 1),
        Host("worker", 1, "b", 2),
    )
    assert found.position == 1
    assert [str(host) for host in found.others] == ["chief 0 at [fe80::1]:9", "worker 1 at b:2"]


def test_an_index_may_be_text_as_some_launchers_write_it():
    assert read(cluster({"type": "worker", "index": "1"}, worker=WORKERS)).position == 1


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"environment": "cloud"},
        cluster(),
        cluster({"type": "chief", "index": 0}, chief=["localhost:2222"]),
    ],
)
def test_fewer_than_two_hosts_are_not_a_cluster(value):
    assert read(value) is None
    assert read_cluster({}) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "TF_CONFIG is set but empty"),
        (" \n", "TF_CONFIG is set but empty"),
        ("worker-0:2222", "'worker-0:2222' is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a JSON object"),
        ("3", "is not a JSON object"),
        ({"cluster": ["a:1", "b:2"]}, "cluster is"),
        (cluster(ps=["a:1"], worker=WORKERS), "the job 'ps' is not supported"),
        (cluster(worker="a:1,b:2"), "the hosts of a job are 'a:1,b:2', not a list"),
        (cluster(worker=["a", "b:2"]), "worker 0 is 'a', not NAME:PORT"),
        (cluster(worker=["a:1", "b:99999"]), "worker 1 is 'b:99999', not NAME:PORT"),
        (cluster(worker=["a:1", 7]), "worker 1 is 7, not NAME:PORT"),
        (cluster(worker=WORKERS), "task is missing its type and index"),
        (cluster({"type": "worker"}, worker=WORKERS), "task is missing its type and index"),
        (
            cluster({"type": "worker", "index": 2}, worker=WORKERS),
            "task is worker 2, but the cluster has worker 0, worker 1",
        ),
        (cluster({"type": "worker", "index": -1}, worker=WORKERS), "task is worker -1"),
        (cluster({"type": "worker", "index": None}, worker=WORKERS), "task is worker None"),
        (cluster({"type": "worker", "index": True}, worker=WORKERS), "task is worker True"),
        (cluster({"type": "chief", "index": 0}, worker=WORKERS), "task is chief 0"),
        (cluster({"type": ["worker"], "index": 0}, worker=WORKERS), "task is"),
    ],
)
def test_anything_else_is_named_with_the_remedy(value, reason):
    with pytest.raises(ClusterConfigError) as error:
        read(value)
    assert reason in str(error.value)
    assert "unset it to train on this machine alone" in str(error.value)
