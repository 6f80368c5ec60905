"""Beam's worker pool on loopback: starts one Python process per worker that an engine asks for.

Beam's own ``worker_pool_main`` listens on every interface, and serves a single executor.

    python tools/engines/worker_pool.py PORT
"""

import atexit
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.runners.worker import worker_pool_main


class SharedPool(worker_pool_main.BeamFnExternalWorkerPoolServicer):
    """A pool for several executors.

    Each of them numbers its workers from 1, so the number with which one asks to stop a worker may
    be that of another's. Beam's pool then stops the other one, whose executor waits for it without
    end. Here a worker ends when its executor closes the connection.
    """

    def StopWorker(  # noqa: N802 (Beam's name)
        self, _request: beam_fn_api_pb2.StopWorkerRequest, _context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Stops nothing."""
        return beam_fn_api_pb2.StopWorkerResponse()


def main(port: int) -> None:
    """Serves until SIGTERM, which also ends the workers."""
    # Beam starts the workers as `python`.
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    pool = SharedPool(use_process=True)
    server = grpc.server(ThreadPoolExecutor())
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    server.add_insecure_port(f"127.0.0.1:{port}")

    def end_workers() -> None:
        for worker in pool._worker_processes.values():
            worker.kill()

    atexit.register(end_workers)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(int(sys.argv[1]))
