"""What an embedder computes on its way to the vector, for whoever explains or teaches it."""

from collections.abc import Sequence

import openvino as ov

from embedding.manifest import EmbedderRecord
from embedding.networks import ONE_CROP, Network, NetworkRefused, read_embedder, reason_of


def compile_activations(onnx: bytes, record: EmbedderRecord, threads: int) -> Network:
    """The embedder up to its last layer with places: (1, 112, 112, 3) uint8 RGB → (views, k, h, w).

    Views are 2 where the network looks at the mirror image as well.

    Raises:
        NetworkRefused: If it is no such ONNX network, or it has no convolution.
    """
    try:
        model = read_embedder(onnx, record, 1)
        last = find_last_places(model)
        last.set_names({"maps"})
        return Network(ov.Model([last], model.get_parameters()), ["maps"], threads, "f32", ONE_CROP)
    except RuntimeError as error:
        raise NetworkRefused(reason_of(error)) from error


def compile_maps(onnx: bytes, record: EmbedderRecord, threads: int, layers: Sequence[str]) -> Network:
    """Layers of the embedder by their names: (n, 112, 112, 3) uint8 RGB → one (n, k, h, w) for each.

    Raises:
        NetworkRefused: If it is no such ONNX network, or it has no such layer.
    """
    try:
        model = read_embedder(onnx, record, -1)
        found = {step.get_friendly_name(): step.output(0) for step in model.get_ordered_ops()}
        for name in layers:
            if name not in found or len(found[name].get_partial_shape()) != 4:
                raise NetworkRefused(f"it has no layer {name!r} with places")
            found[name].add_names({name})
        outputs = [found[name] for name in layers]
        return Network(ov.Model(outputs, model.get_parameters()), layers, threads, "f32", ONE_CROP)
    except RuntimeError as error:
        raise NetworkRefused(reason_of(error)) from error


def find_last_places(model: ov.Model) -> ov.Output:
    """The last output of one or two views, channels and a square of places, behind a convolution.

    Raises:
        NetworkRefused: If there is none.
    """
    found = None
    convolved: set[str] = set()
    for step in model.get_ordered_ops():
        sources = [source.get_node().get_friendly_name() for source in step.input_values()]
        if "Convolution" not in step.get_type_name() and not convolved.intersection(sources):
            continue
        convolved.add(step.get_friendly_name())
        shape = step.get_output_partial_shape(0)
        if shape.is_dynamic or len(shape) != 4 or step.get_type_name() == "Result":
            continue
        views, _, height, width = step.get_output_shape(0)
        if views <= 2 and height == width > 1 and step.get_output_element_type(0).is_real():
            found = step.output(0)
    if found is None:
        raise NetworkRefused("it has no convolution whose places could be looked at")
    return found
