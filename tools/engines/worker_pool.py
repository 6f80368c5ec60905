"""Beam's worker pool on loopback, for several executors: one process per worker that they ask for.

Beam's own ``worker_pool_main`` listens on every interface, and serves a single executor. The
processes are forks of one that has imported the nodes' libraries. The imports take seconds, and an
engine starts new workers for every stage of a pipeline.

    python tools/engines/worker_pool.py PORT
"""

import multiprocessing
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

PRELOADED = [
    "apache_beam.runners.worker.sdk_worker",
    "components.evaluator.executor",
    "components.histogram_gen.class_counts",
    "components.statistics_gen.executor",
]


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """A pool for several executors.

    Each of them numbers its workers from 1, so the number that one asks to stop may be that of
    another's worker. Beam's pool then stops the wrong worker, whose executor waits for it forever.
    Here a worker ends when its executor closes the connection.
    """

    def __init__(self) -> None:
        """Starts the process that is forked."""
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload(PRELOADED)
        self._lock = threading.Lock()
        forkserver.ensure_running()

    def StartWorker(  # noqa: N802 (Beam's name)
        self, request: beam_fn_api_pb2.StartWorkerRequest, _context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Forks a worker, which ends with this process at the latest."""
        address = request.control_endpoint.url
        worker = self._forks.Process(
            target=run_worker, args=(address, request.worker_id), daemon=True
        )
        with self._lock:
            worker.start()
        print(f"worker {worker.pid} of {address}", flush=True)
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(  # noqa: N802 (Beam's name)
        self, _request: beam_fn_api_pb2.StopWorkerRequest, _context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Stops nothing."""
        return beam_fn_api_pb2.StopWorkerResponse()


def run_worker(address: str, worker_id: str) -> None:
    """Processes what an executor sends."""
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    SdkHarness(address, worker_id=worker_id, state_cache_size=0, data_buffer_time_limit_ms=0).run()


def main(port: int) -> None:
    """Serves until SIGTERM, which also ends the workers."""
    server = grpc.server(ThreadPoolExecutor())
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(WorkerPool(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(int(sys.argv[1]))
