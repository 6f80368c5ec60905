import pytest

from pipeline.config import ConfigError, load_config
from pipeline.secret_values import find_secrets, redact

# Assembled, so that no scanner of this repository takes them for real ones.
TOKENS = [
    "gh" + "p_" + 36 * "a",
    "github" + "_pat_" + 30 * "b",
    "glp" + "at-" + 20 * "c",
    "xox" + "b-" + 12 * "1",
    "ya" + "29." + 30 * "d",
    "AI" + "za" + 35 * "e",
    "-----BEGIN RSA PRIVATE" + " KEY-----",
    "ey" + "J" + 12 * "f" + ".ey" + "J" + 12 * "g" + ".h",
]

ADDRESSES = [
    "https://ann:pa55@host/data",
    "https://t0ken@host/data",
    "http://:pa55@proxy:3128",
    "s3://key:secret@bucket/x",
    "--job_endpoint=grpc://ann:pa55@host:1",
]

OPTIONS = [
    "--s3_secret_access_key=pa55",
    "--s3-session-token=pa55",
    "--password=pa55",
    "--azure_connection_string=pa55",
    "--API_KEY=pa55",
    "--token",
]

HARMLESS = [
    "gs://bucket/higgs",
    "abfs://container@account.dfs.core.windows.net/x",
    "hdfs://user@namenode:8020/x",
    "/data/secret/token",
    "--runner=DataflowRunner",
    "--token_file=/run/token",
    "--s3_access_key_id=AB",
    "--dataflow_kms_key=projects/p/locations/l/keyRings/r/cryptoKeys/k",
    "--service_account_email=a@b.iam.gserviceaccount.com",
    "tokens",
]


@pytest.mark.parametrize("text", [*TOKENS, *ADDRESSES, *OPTIONS])
def test_a_secret_is_found_by_its_key(text):
    (found,) = find_secrets({"beam": {"nodes": {"Evaluator": ["--a", text]}}, "root": "/r"})
    assert found.startswith("beam.nodes.Evaluator: ")
    assert "pa55" not in found


@pytest.mark.parametrize("text", HARMLESS)
def test_values_that_are_not_secrets(text):
    assert list(find_secrets([text])) == []
    assert redact(text) == text


@pytest.mark.parametrize("text", [*TOKENS, *ADDRESSES, *OPTIONS[:-1]])
def test_a_secret_is_left_out_of_a_message(text):
    shown = redact(f"cannot use {text}, see the log")
    assert "***" in shown
    assert not any(secret in shown for secret in ("pa55", "t0ken", "secret@", *TOKENS))
    assert shown.endswith(", see the log")


def test_values_that_contain_themselves_are_searched_once():
    values = {"a": ["https://ann:pa55@host"]}
    values["b"] = [values, values["a"]]
    (found,) = find_secrets(values)
    assert found.endswith(": an address with a password")


@pytest.mark.parametrize(
    "override",
    [
        "beam.args=[--s3_secret_access_key=pa55]",
        "data_root=https://ann:pa55@host/x",
        "kubeflow={host: 'https://ann:pa55@host'}",
        f"name={TOKENS[0]}",
        "trainer.epochs=https://ann:pa55@host",
        "https://ann:pa55@host",
        "beam.args=[--password=pa55",
    ],
)
def test_a_configuration_with_a_secret_is_refused_without_showing_it(override, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("root: /r\ndata_root: /d\n")
    with pytest.raises(ConfigError) as error:
        load_config(file, [override])
    assert "pa55" not in str(error.value)
    assert TOKENS[0] not in str(error.value)
