from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types.standard_artifacts import Schema
from tfx.utils import io_utils

from components.schema_import.component import SchemaImport


def test_the_text_becomes_a_schema_that_tfx_reads(tmp_path):
    given = text_format.Parse('feature { name: "m_bb" type: FLOAT }', schema_pb2.Schema())
    schema = Schema()
    schema.uri = str(tmp_path)
    SchemaImport.test_call(content=text_format.MessageToString(given), schema=schema)
    assert io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri)) == given
