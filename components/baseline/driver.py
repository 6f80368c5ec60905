"""Driver of ModelInService: tells the cache of local runs which version is in service."""

from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration.driver_output_pb2 import DriverOutput

from components.baseline.selection import select


class Driver(BaseDriver):
    """Adds the version in service to the node's parameters, and so to its cache key.

    The push directory is not an artifact: without this, the node would be taken from the cache even
    if versions were pushed or withdrawn since.
    """

    def run(self, execution_info: ExecutionInfo) -> DriverOutput:
        """Finds the version in service."""
        output = DriverOutput()
        directory = execution_info.exec_properties["push_directory"]
        selection = select(directory, execution_info.input_dict)
        output.exec_properties["in_service"].string_value = selection.key
        return output
