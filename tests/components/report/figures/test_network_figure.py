from components.report.figures.network_figure import (
    MAX_BOXES,
    make_diagram,
    network,
    output_shape,
)
from formats.training_record import LayerRecord


def layer(name, part, kind="Dense", size=8, parameters=10):
    return {
        "name": name,
        "part": part,
        "kind": kind,
        "output_shape": [size],
        "parameters": parameters,
    }


LAYERS = [
    layer("columns", "inputs", "InputLayer", 115, 0),
    layer("normalization", "inputs", "Normalization", 115, 0),
    layer("buckets", "wide", "BucketWeights", 115, 50),
    layer("wide", "wide", "Dense", 1, 231),
    layer("dense_1", "deep", "Dense", 128, 1000),
    layer("batch_norm_1", "deep", "BatchNormalization", 128, 512),
    layer("deep", "deep", "Dense", 1, 129),
]
TREES = {"trees": 9, "leaves": 72, "events": 1000}


def texts_of(boxes):
    return [box.text() for box in boxes]


def test_layers_are_grouped_into_boxes_by_part(make):
    diagram = make_diagram(make.training(layers=LAYERS, trees=TREES))
    assert texts_of(diagram.inputs) == ["115 columns\nNormalization\n0 weights"]
    assert texts_of(diagram.wide) == ["BucketWeights 115\n50 weights", "Dense 1\n231 weights"]
    assert texts_of(diagram.deep) == [
        "Dense 128\nBatchNormalization\n1,512 weights",
        "Dense 1\n129 weights",
    ]
    assert texts_of(diagram.trees) == ["leaves of\n9 boosted trees\n72 weights"]


def test_model_without_trees_has_no_box_of_leaves(make):
    assert make_diagram(make.training(layers=LAYERS, trees=None)).trees == ()


def test_blocks_in_the_middle_are_summed_up(make):
    blocks = [layer(f"dense_{number}", "deep") for number in range(20)]
    boxes = make_diagram(make.training(layers=blocks)).deep
    assert len(boxes) <= MAX_BOXES
    assert boxes[3].text() == "15 more\n150 weights"


def test_figure_shows_the_weights_of_each_part(make):
    parameters = {"wide": 281, "deep": 1641, "total": 1922}
    axes = network(make.training(layers=LAYERS, parameters=parameters)).axes[0]
    texts = {text.get_text() for text in axes.texts}
    assert {"wide part: 281 weights", "deep part: 1,641 weights"} <= texts
    assert "whole network:\n1,922 weights" in texts


def test_dimensions_of_any_size_are_left_out():
    record = LayerRecord.model_validate(layer("x", "deep") | {"output_shape": [None, 4, 3]})
    assert output_shape(record) == "4 x 3"
