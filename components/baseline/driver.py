"""Driver of ModelInService: tells the cache of local runs which version is in service."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable import base_driver as portable_driver
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration.driver_output_pb2 import DriverOutput

from components.baseline.selection import select


class Driver(base_driver.BaseDriver, portable_driver.BaseDriver):
    """Adds the version in service to the node's parameters, and so to its cache key.

    The push directory is not an artifact: without this, the node would be taken from the cache even
    if versions were pushed or withdrawn since.
    """

    def __init__(self, metadata_handle: Metadata):
        """Makes a driver of both kinds that TFX expects."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: ExecutionInfo) -> DriverOutput:
        """Finds the version in service."""
        output = DriverOutput()
        directory = execution_info.exec_properties["push_directory"]
        selection = select(directory, execution_info.input_dict)
        output.exec_properties["in_service"].string_value = selection.key
        return output
