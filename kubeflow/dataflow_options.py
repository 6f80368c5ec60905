"""Options of Dataflow: those that a configuration does not give, and checks of all of them."""

from collections.abc import Iterator, Sequence

from pipeline.beam_options import selected_runner
from pipeline.cloud_config import VertexConfig
from pipeline.config import BeamConfig, Config

DATAFLOW = "DataflowRunner"


def beam_runners(beam: BeamConfig) -> set[str]:
    """The Beam runners that the options select, for all nodes or for one; the last option wins."""
    return {selected_runner(args) for args in beam.option_lists()}


def option_names(args: tuple[str, ...]) -> set[str]:
    """The names of options: ``--name`` of ``--name=value``."""
    return {arg.partition("=")[0] for arg in args}


def with_dataflow_options(config: Config, vertex: VertexConfig) -> Config:
    """Adds the options that Dataflow requires and the configuration does not give.

    The workers start from an image with the nodes' code, so only the job is staged.
    """
    if DATAFLOW not in beam_runners(config.beam):
        return config
    values = {
        "--project": vertex.project,
        "--region": vertex.region,
        "--temp_location": f"{config.root}/dataflow/temp",
        "--staging_location": f"{config.root}/dataflow/staging",
        "--sdk_container_image": vertex.worker_image,
        "--sdk_location": "container",
        "--service_account_email": vertex.service_account,
        "--dataflow_kms_key": vertex.encryption_key,
    }
    configured = option_names(config.beam.args)
    missing = [
        f"{name}={value}" for name, value in values.items() if value and name not in configured
    ]
    # The last one of a key wins.
    labels = [f"--labels={key}={value}" for key, value in vertex.labels.items()]
    beam = config.beam.model_copy(update={"args": (*labels, *config.beam.args, *missing)})
    return config.model_copy(update={"beam": beam})


def dataflow_problems(config: Config, section: VertexConfig) -> Iterator[str]:
    """Why Dataflow would refuse a node's job, one message per reason."""
    completed = with_dataflow_options(config, section).beam
    jobs = [args for args in completed.option_lists() if selected_runner(args) == DATAFLOW]
    if any("--sdk_container_image" not in option_names(args) for args in jobs):
        yield (
            f"vertex.worker_image: missing, and Dataflow's workers cannot start from "
            f"{section.image}, which has no Beam entry point; give the image of the Dockerfile's "
            "target worker"
        )
    if any("--job_name" in option_names(args) for args in jobs):
        yield (
            "beam.args: --job_name is the same for all nodes, and Dataflow refuses a job with the "
            "name of a running one; remove it"
        )
    yield from dict.fromkeys(problem for args in jobs for problem in _problems_of_beam(args))


def _problems_of_beam(args: Sequence[str]) -> Iterator[str]:
    """Why Beam would refuse options of Dataflow: what it checks without a connection."""
    from apache_beam.options.pipeline_options import (
        GoogleCloudOptions,
        PipelineOptions,
        WorkerOptions,
    )
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator

    options = PipelineOptions(list(args))
    validator = PipelineOptionsValidator(options, None)
    workers, cloud = options.view_as(WorkerOptions), options.view_as(GoogleCloudOptions)
    for problem in (
        *validator.validate_cloud_options(cloud),
        *validator.validate_gcs_path(cloud, "temp_location"),
        *validator.validate_gcs_path(cloud, "staging_location"),
        *validator.validate_num_workers(workers),
        *validator.validate_worker_region_zone(workers),
    ):
        yield f"beam.args, with vertex.project and vertex.region, on Dataflow: {problem}"
