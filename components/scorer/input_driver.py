"""Driver of Scorer: tells the cache of local runs which data there is."""

from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration.driver_output_pb2 import DriverOutput

from components.scorer.executor import CONTENT_KEY, find_sources, key_of


class Driver(BaseDriver):
    """Adds the content of the files to the node's parameters, and so to its cache key."""

    def run(self, execution_info: ExecutionInfo) -> DriverOutput:
        """Hashes the files.

        Raises:
            DataRefusedError: there is none, or one cannot be read.
        """
        sources = find_sources(execution_info.exec_properties)
        digests = {path: source.digest() for path, source in sources.items()}
        output = DriverOutput()
        output.exec_properties[CONTENT_KEY].string_value = key_of(digests)
        return output
