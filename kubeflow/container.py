"""Entry point of every container of a compiled pipeline: runs one node.

    python -m kubeflow.container --executor_class_path CLASS \\
        --json_serialized_invocation_args EXECUTOR_INPUT --outputs KEY,... \\
        [--parameters KEY:TYPE,...] \\
        [--json_serialized_inputs_spec_args SPEC] [--artifacts_folder FOLDER] \\
        [Beam's options and the executor's flags]

Only Vertex AI passes the types of the parameters, and only Kubeflow the declared inputs; there, the
launcher copies artifacts to local folders.

TFX's own entry point does the work. The exit codes are those of `higgs`: 0, 3 if nothing was
pushed, 4 if the data was refused, and 1 for any other error.
"""

import argparse
import logging
import os
import sys
import traceback
from pathlib import Path

from absl import app
from absl.flags import argparse_flags
from google.protobuf import json_format
from kfp.pipeline_spec.pipeline_spec_pb2 import ComponentInputsSpec, ExecutorInput

from formats.errors import DataRefusedError, NotPushedError, UserError
from formats.locations import is_remote
from kubeflow.executor_io import (
    LocalPaths,
    check_executor,
    check_parameters,
    keep_outputs,
    localize,
    parse_message,
    restore,
)
from pipeline.beam_options import check_job_servers, describe_job_server_error, stage_no_tfx
from pipeline.exit_codes import ExitCode
from pipeline.process_setup import prepare_process
from pipeline.system_errors import describe_system_error, explain

Arguments = tuple[argparse.Namespace, list[str]]
"""The arguments of the entry point, and the flags of the executor."""


def main(arguments: Arguments) -> None:
    """Runs the node and ends the process.

    It does not return to the interpreter's own shutdown: destructors of TFX's C++ libraries
    can abort there, which would fail a node whose work is done.
    """
    prepare_process()
    code = run(arguments)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(arguments: Arguments) -> int:
    """Runs the node; the traceback of an error goes to the log.

    Returns:
        The exit code.
    """
    options, flags = arguments
    try:
        _run_node(options, flags)
    except DataRefusedError as error:
        print(f"DATA REFUSED\n{error}", file=sys.stderr)
        return ExitCode.DATA_REFUSED
    except NotPushedError as error:
        print(f"NOT PUSHED\n{error}", file=sys.stderr)
        return ExitCode.NOT_BLESSED
    except UserError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return ExitCode.FAILED
    except Exception as error:  # an engine sees only the exit code, a person only the log
        traceback.print_exc()
        if isinstance(error, OSError) or explain(error):
            print(f"FAILED: {describe_system_error(error)}", file=sys.stderr)
        elif lost := describe_job_server_error(error):
            print(f"FAILED: {lost}", file=sys.stderr)
        return ExitCode.FAILED
    return 0


def _run_node(options: argparse.Namespace, flags: list[str]) -> None:
    executor_input = parse_message(options.json_serialized_invocation_args, ExecutorInput())
    keep_outputs(executor_input, [key for key in options.outputs.split(",") if key])
    check_parameters(executor_input, dict(options.parameters))
    inputs_spec = options.json_serialized_inputs_spec_args
    paths = LocalPaths(options.launcher_root, options.artifacts_folder)
    if inputs_spec:
        localize(executor_input, parse_message(inputs_spec, ComponentInputsSpec()), paths)
    check_job_servers([flags])
    clear_outputs(executor_input)
    stage_no_tfx()
    # TFX imports Matplotlib, for which `main` prepares the process.
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    check_executor(options.executor_class_path)
    options.json_serialized_invocation_args = json_format.MessageToJson(executor_input)
    kubeflow_v2_run_executor.main((options, flags))
    if inputs_spec:
        output_file = Path(executor_input.outputs.output_file)
        output_file.write_text(restore(output_file.read_text("utf-8"), paths), encoding="utf-8")


def clear_outputs(executor_input: ExecutorInput) -> None:
    """Removes the remains of an earlier attempt from the node's outputs, and creates their folders.

    Engines repeat a node with the same URIs: in a bucket on Vertex AI, on the volume of
    ``kubeflow.artifacts_volume``.
    """
    from tfx.dsl.io import fileio

    uris = [
        artifact.uri
        for output in executor_input.outputs.artifacts.values()
        for artifact in output.artifacts
    ]
    for uri in uris:
        if fileio.isdir(uri):
            fileio.rmtree(uri)
        elif fileio.exists(uri):
            fileio.remove(uri)
        if not is_remote(uri):
            Path(uri).mkdir(parents=True, exist_ok=True)


def parse(argv: list[str]) -> Arguments:
    """Parses the arguments of this entry point; the others are flags of the executor."""
    # No abbreviations: what looks like one may be an option of Beam.
    parser = argparse_flags.ArgumentParser(prog="kubeflow.container", allow_abbrev=False)
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args")
    parser.add_argument("--outputs", required=True, help="the component's declared outputs")
    parser.add_argument("--parameters", type=_parse_types, default=[], help="as declared")
    parser.add_argument("--artifacts_folder", help="the folder of all artifacts, on a volume")
    # For tests, where the launcher's folders cannot be at the root.
    parser.add_argument("--launcher_root", default="")
    return parser.parse_known_args(argv[1:])


def _parse_types(text: str) -> list[list[str]]:
    return [entry.split(":") for entry in text.split(",")]


if __name__ == "__main__":
    app.run(main, flags_parser=parse)
