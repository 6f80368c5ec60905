"""Driver of Scorer: tells the cache of local runs which data there is."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable import base_driver as portable_driver
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration.driver_output_pb2 import DriverOutput

from components.scorer.executor import CONTENT_KEY, find_sources, key_of


class Driver(base_driver.BaseDriver, portable_driver.BaseDriver):
    """Adds the content of the files to the node's parameters, and so to its cache key."""

    def __init__(self, metadata_handle: Metadata):
        """Makes a driver of both kinds that TFX expects."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_driver.BaseDriver.__init__(self, metadata_handle)

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
