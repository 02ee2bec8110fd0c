"""Folders of models, made from checkpoints or renewed, whole or not at all."""

import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save

from ncodec.inference.checks import check_content, tensor_places
from ncodec.inference.decoders import graph_of, weights_of
from ncodec.inference.entry import MODEL_FILE, read_entry, write_entry
from ncodec.inference.model import RD_GRADIENT_FILE, TABLES_FILE, WEIGHTS_FILE
from ncodec.inference.store import staged
from ncodec.inference.torch import load_decoder, load_network
from ncodec.inference.zoo import load_model_folder
from ncodec.networks.frame import FrameModel, picture_codec
from ncodec.networks.graphs import DecoderGraph
from ncodec.networks.image import ImageModel
from ncodec.networks.shrunk import ShrunkDecoder
from ncodec.training.export.calibrate import Examples
from ncodec.training.export.onnx import (
    costs_of,
    describe_files,
    export_decoder,
    export_model,
    halos_of,
    share_weights,
    write_graphs,
)


def write_decoder(decoder: ShrunkDecoder, name: str, folder: Path) -> None:
    """Write a decoder beside a model's own, its weights in float16 and its graph."""
    weights = folder / weights_of(name)
    state = {key: value.half().contiguous() for key, value in decoder.state_dict().items()}
    weights.write_bytes(save(state))
    proto = export_decoder(DecoderGraph(decoder.eval()), decoder.config)
    share_weights(proto, tensor_places(weights), weights_file=weights.name)
    (folder / graph_of(name)).write_bytes(proto.SerializeToString())


def renew_folder(source: Path, folder: Path, *, overwrite: bool = False) -> dict[str, Any]:
    """Make `folder` the model of the folder `source` with graphs as this release exports them, and
    return what its `model.json` says.

    Weights, tables and id stay. `source` may be `folder`, with `overwrite`. Raises ModelError for a
    model that cannot be read, and OutputError as `export_folder` does.
    """
    before = load_model_folder(source)
    model = load_network(before).eval()
    entry = read_entry(source)
    with staged(folder, overwrite=overwrite) as made:
        for file in (WEIGHTS_FILE, TABLES_FILE):
            shutil.copyfile(before.path(file), made / file)
        write_graphs(model, made, with_gradient=RD_GRADIENT_FILE in entry["sha256"])
        for name in before.decoders:
            config = picture_codec(model).config
            write_decoder(load_decoder(before, name, config=config), name, made)
        facts = {**entry["facts"], **costs_of(model)}
        files = describe_files(made)
        entry = {**entry, **files, **halos_of(model), "facts": facts}
        write_entry(entry, made)
        check_content(entry, made)
    return entry


def export_folder(
    model: ImageModel | FrameModel,
    folder: Path,
    *,
    name: str,
    facts: dict[str, Any],
    examples: Examples | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Make `folder` that of a model, whole or not at all, and return what its `model.json` says.

    Arguments are those of `export_model`. With `overwrite` a model that is there is replaced, and
    the new one takes over its floors, which are measured and not trained. Raises OutputError where
    one is there without `overwrite` or the folder cannot be written, ModelError for a model there
    that cannot be read, and ValueError for tables that cannot be decoded.
    """
    before = read_entry(folder) if (folder / MODEL_FILE).exists() else {}
    with staged(folder, overwrite=overwrite) as made:
        entry = export_model(model, made, name=name, facts=facts, examples=examples)
        if "floors" in before:
            entry = {**entry, "floors": before["floors"]}
            write_entry(entry, made)
        check_content(entry, made)
    return entry
