"""Starts and stops Beam's engines on this machine, on loopback only.

``flink start`` runs an embedded Flink, ``flink start cluster`` one JobManager and two
TaskManagers, ``spark start`` a master and two workers; each with Beam's job server, and the
clusters with a pool of Python workers. Logs and pid files are in ``.engines/run/ENGINE``.

The environment may set ``JOB_PORT`` (default 8099), ``POOL_PORT`` (50000) and ``ENGINE_STATE``
(the folder of logs and pid files). All other ports are free ones.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FETCHED = ROOT / ".engines"

MARK = "HIGGS_ENGINE"
"""Environment variable that every process of an engine inherits; its value is the state folder."""

START_SECONDS = 90.0
STOP_SECONDS = 10.0

# Flink and Spark use packages that Java 17 hides.
JAVA_FLAGS = [
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            "java.lang",
            "java.lang.invoke",
            "java.net",
            "java.nio",
            "java.util",
            "java.util.concurrent",
            "sun.nio.ch",
            "sun.security.action",
        )
    ),
    "-Djava.net.preferIPv4Stack=true",
    "-Djdk.reflect.useDirectMethodHandle=false",
]

LOG_FLAGS = [
    f"-Dorg.slf4j.simpleLogger.{option}"
    for option in ("showDateTime=true", "dateTimeFormat=HH:mm:ss.SSS")
]

FLINK_CONFIGURATION = """\
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc_port}
jobmanager.bind-host: 127.0.0.1
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: {rest_port}
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: 2
cluster.evenly-spread-out-slots: true
taskmanager.cpu.cores: 1
taskmanager.memory.task.heap.size: 512m
taskmanager.memory.task.off-heap.size: 128m
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
# The sort buffers, one per operator, must hold the sketches of a bundle; 64m failed.
taskmanager.memory.managed.size: 512m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
# StatisticsGen needs 512 buffers per TaskManager and more; 128m failed.
taskmanager.memory.network.min: 512m
taskmanager.memory.network.max: 512m
# Without it, one lost TaskManager or worker fails the job.
restart-strategy: fixed-delay
restart-strategy.fixed-delay.attempts: 20
restart-strategy.fixed-delay.delay: 1 s
heartbeat.interval: 2000
heartbeat.timeout: 12000
io.tmp.dirs: {state}/temp
"""


class EngineError(Exception):
    """An engine cannot be started; the message says what is missing or where the log is."""


class Engine:
    """The processes of one engine, by the folder of their logs and pid files."""

    def __init__(self, name: str):
        """Finds the engine's folders; starts nothing."""
        self.name = name
        default = FETCHED / "run" / name
        self.state = Path(os.environ.get("ENGINE_STATE", default)).resolve()
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self.job_port = int(os.environ.get("JOB_PORT", "8099"))
        self.pool_port = int(os.environ.get("POOL_PORT", "50000"))

    def start(self, form: str) -> None:
        """Starts the engine and waits until it takes jobs; stops what was started if it fails."""
        self._check()
        (self.state / "temp").mkdir(parents=True, exist_ok=True)
        try:
            {"embedded": self._embedded_flink, "cluster": self._flink, "spark": self._spark}[form]()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends every process of the engine, its descendants included."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, sent)
            deadline = time.monotonic() + STOP_SECONDS
            while any(self.processes()) and time.monotonic() < deadline:
                time.sleep(0.1)
        for file in self.state.glob("*.pid"):
            file.unlink()

    def processes(self) -> Iterator[int]:
        """Yields the pids of the engine's processes, found by the environment they inherited."""
        mark = f"{MARK}={self.state}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)

    def status(self) -> list[str]:
        """Describes the processes that have a pid file: name, pid, and whether they run."""
        running = set(self.processes())
        pids = {file.stem: int(file.read_text()) for file in sorted(self.state.glob("*.pid"))}
        return [
            f"{name:<14}{pid:>8}  {'running' if pid in running else 'dead'}"
            for name, pid in pids.items()
        ]

    def options(self, form: str) -> list[str]:
        """The Beam options that send a node to the engine."""
        options = ["--runner=PortableRunner", f"--job_endpoint=localhost:{self.job_port}"]
        if form == "embedded":
            return [*options, "--environment_type=LOOPBACK", "--parallelism=2"]
        pool = f"localhost:{self.pool_port}"
        options += ["--environment_type=EXTERNAL", f"--environment_config={pool}"]
        if form == "cluster":
            return [*options, "--parallelism=2"]
        # Otherwise Spark copies every jar of the class path, 400 MB, to each executor of a job.
        return [*options, f"--files_to_stage={self._any_jar()}"]

    def _check(self) -> None:
        missing = FETCHED / "missing"
        if missing.exists():
            raise EngineError(missing.read_text().strip())
        if not (FETCHED / self.name).is_dir() or not (FETCHED / "pyspark" / ".ready").exists():
            raise EngineError(f"the jars of {self.name} are missing; run make engines")
        if any(self.processes()):
            raise EngineError(
                f"{self.name} is running; stop it first: tools/engines/{self.name} stop"
            )
        for variable, port in (("JOB_PORT", self.job_port), ("POOL_PORT", self.pool_port)):
            if _is_open(port):
                raise EngineError(f"port {port} is in use; choose another one with {variable}")

    def _embedded_flink(self) -> None:
        self._job_server("flink.FlinkJobServerDriver", "--flink-master=[local]", self._jars())

    def _flink(self) -> None:
        rpc_port, rest_port = _free_ports(2)
        text = FLINK_CONFIGURATION.format(rpc_port=rpc_port, rest_port=rest_port, state=self.state)
        (self.state / "flink-conf.yaml").write_text(text)
        runtime, configuration = "org.apache.flink.runtime", ["--configDir", str(self.state)]
        self._java(
            "jobmanager",
            self._jars(),
            "-Xmx512m",
            f"{runtime}.entrypoint.StandaloneSessionClusterEntrypoint",
            *configuration,
        )
        self._wait_for("jobmanager", rest_port)
        for number in (1, 2):
            self._java(
                f"taskmanager{number}",
                self._jars(),
                "-Xmx640m",
                "-XX:MaxDirectMemorySize=768m",
                f"{runtime}.taskexecutor.TaskManagerRunner",
                *configuration,
                "-D",
                f"taskmanager.resource-id=taskmanager{number}",
            )
        self._wait_for_task_managers(rest_port)
        self._pool()
        self._job_server(
            "flink.FlinkJobServerDriver", f"--flink-master=127.0.0.1:{rest_port}", self._jars()
        )

    def _spark(self) -> None:
        master_port, *ports = _free_ports(4)
        home = next((FETCHED / "pyspark").glob("lib/python*/site-packages/pyspark"))
        spark = f"{home}/jars/*"
        environment = {"SPARK_HOME": str(home), "SPARK_SCALA_VERSION": "2.12"}
        deploy = "org.apache.spark.deploy"
        master = f"spark://127.0.0.1:{master_port}"
        self._java(
            "master",
            spark,
            "-Xmx512m",
            f"{deploy}.master.Master",
            *f"--host 127.0.0.1 --port {master_port} --webui-port {ports[0]}".split(),
            **environment,
        )
        self._wait_for("master", master_port)
        for number in (1, 2):
            self._java(
                f"worker{number}",
                spark,
                "-Xmx256m",
                f"{deploy}.worker.Worker",
                *f"--host 127.0.0.1 --webui-port {ports[number]} --cores 1 --memory 1500m".split(),
                "--work-dir",
                f"{self.state}/work",
                master,
                **environment,
            )
        self._pool()
        self._job_server(
            "spark.SparkJobServerDriver",
            f"--spark-master-url={master}",
            f"{self._jars()}:{spark}",
            f"-Dspark.executor.extraClassPath={self._jars()}",
            f"-Dspark.executor.extraJavaOptions={' '.join([*JAVA_FLAGS, *LOG_FLAGS])}",
            "-Dspark.driver.host=127.0.0.1",
            "-Dspark.driver.bindAddress=127.0.0.1",
            "-Dspark.ui.enabled=false",
            "-Dspark.executor.memory=1g",
        )

    def _any_jar(self) -> Path:
        return min((FETCHED / self.name).glob("slf4j-api-*.jar"))

    def _jars(self) -> str:
        return f"{FETCHED / self.name}/*"

    def _pool(self) -> None:
        script = str(Path(__file__).with_name("worker_pool.py"))
        self._run("pool", [sys.executable, script, str(self.pool_port)], PYTHONPATH=str(ROOT))
        self._wait_for("pool", self.pool_port)

    def _job_server(self, driver: str, master: str, class_path: str, *properties: str) -> None:
        self._java(
            "jobserver",
            class_path,
            "-Xmx1g",
            *properties,
            f"org.apache.beam.runners.{driver}",
            master,
            "--job-host=localhost",
            f"--job-port={self.job_port}",
            "--artifact-port=0",
            "--expansion-port=0",
            f"--artifacts-dir={self.state}/temp",
        )
        self._wait_for("jobserver", self.job_port)

    def _java(self, name: str, class_path: str, *arguments: str, **environment: str) -> None:
        flags = [*JAVA_FLAGS, *LOG_FLAGS, f"-Djava.io.tmpdir={self.state}/temp"]
        self._run(name, ["java", "-cp", class_path, *flags, *arguments], **environment)

    def _run(self, name: str, command: Sequence[str], **environment: str) -> None:
        local = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": f"{self.state}/temp"}
        with (self.state / f"{name}.log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603 (Java and our own pool)
                command,
                env={**os.environ, **local, **environment, MARK: str(self.state)},
                cwd=self.state,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.state / f"{name}.pid").write_text(str(process.pid))
        self._started[name] = process

    def _wait_for_task_managers(self, rest_port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while _count_task_managers(rest_port) < 2:
            for name in ("taskmanager1", "taskmanager2"):
                if self._started[name].poll() is not None or time.monotonic() > deadline:
                    raise EngineError(f"{name} did not start; see {self.state}/{name}.log")
            time.sleep(0.5)

    def _wait_for(self, name: str, port: int) -> None:
        # Not by `processes`: the environment of a process that starts another program is empty.
        process = self._started[name]
        deadline = time.monotonic() + START_SECONDS
        while not _is_open(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise EngineError(f"{name} did not start; see {self.state}/{name}.log")
            time.sleep(0.2)


def _count_task_managers(rest_port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{rest_port}/overview", timeout=10) as answer:
        return int(json.load(answer)["taskmanagers"])


def _is_open(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def main() -> None:
    """Runs one command; exits with 1 and the reason if the engine cannot be started."""
    parser = argparse.ArgumentParser(prog="tools/engines", description=__doc__.split("\n")[0])
    parser.add_argument("engine", choices=["flink", "spark"])
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("form", nargs="?", choices=["embedded", "cluster"], help="of Flink")
    arguments = parser.parse_args()
    engine = Engine(arguments.engine)
    form = "spark" if arguments.engine == "spark" else arguments.form or "embedded"
    if arguments.command == "start":
        try:
            engine.start(form)
        except EngineError as error:
            sys.exit(f"engines: {error}")
        options = f"beam.args=[{', '.join(engine.options(form))}]"
        (engine.state / "set").write_text(options)
        print(options)
    elif arguments.command == "stop":
        engine.stop()
    else:
        print("\n".join(engine.status()) or f"{engine.name} is not running")


if __name__ == "__main__":
    main()
