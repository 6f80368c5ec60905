"""Beam's worker pool on loopback: starts one Python process per worker that an engine asks for.

Beam's own ``worker_pool_main`` listens on every interface.

    python tools/engines/worker_pool.py PORT
"""

import atexit
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker import worker_pool_main


def main(port: int) -> None:
    """Serves until SIGTERM, which also ends the workers."""
    # Beam starts the workers as `python`.
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    pool = worker_pool_main.BeamFnExternalWorkerPoolServicer(use_process=True)
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
