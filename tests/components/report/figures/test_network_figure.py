from components.report.figures.network_figure import MOST_BOXES, network, plan
from formats.training_record import parse_training


def layer(name, part, kind="Dense", shape=8, parameters=10):
    shape = [shape]
    return {
        "name": name,
        "part": part,
        "kind": kind,
        "output_shape": shape,
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


def test_layers_are_gathered_into_boxes_by_part():
    boxes = plan(parse_training({"layers": LAYERS, "trees": {"trees": 9, "leaves": 72}}))
    assert [box.text() for box in boxes.inputs] == ["115 columns\nNormalization\n0 weights"]
    assert [box.text() for box in boxes.wide] == [
        "BucketWeights 115\n50 weights",
        "Dense 1\n231 weights",
    ]
    assert [box.text() for box in boxes.deep] == [
        "Dense 128\nBatchNormalization\n1,512 weights",
        "Dense 1\n129 weights",
    ]
    assert [box.text() for box in boxes.leaves] == ["leaves of\n9 boosted trees\n72 weights"]


def test_many_blocks_are_summed_up():
    blocks = [layer(f"dense_{n}", "deep") for n in range(20)]
    boxes = plan(parse_training({"layers": blocks})).deep
    assert len(boxes) <= MOST_BOXES
    assert boxes[3].text() == "15 more\n150 weights"


def test_network_of_an_older_trainer_is_drawn_from_its_size():
    facts = {"hyperparameters": {"units": 64, "blocks": 3}, "parameters": {"wide": 29}}
    boxes = plan(parse_training(facts))
    assert [box.lines[0] for box in boxes.deep] == ["64 units"] * 3
    assert boxes.wide[0].parameters == 29
    assert boxes.leaves == ()


def test_drawing_names_the_weights_of_each_part():
    facts = {"layers": LAYERS, "parameters": {"wide": 281, "deep": 1641, "total": 1922}}
    axes = network(parse_training(facts)).axes[0]
    texts = {text.get_text() for text in axes.texts}
    assert {"wide part: 281 weights", "deep part: 1,641 weights"} <= texts
    assert "whole network:\n1,922 weights" in texts


def test_unknown_sizes_are_said_to_be_unknown():
    texts = {text.get_text() for text in network(parse_training({})).axes[0].texts}
    assert "wide part: unknown" in texts
