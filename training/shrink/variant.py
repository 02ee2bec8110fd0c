"""Decoders beside a model's own: read from its folder, and written into it."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from ncodec.errors import ModelError
from ncodec.inference.checks import check_content
from ncodec.inference.decoders import (
    MOST_DECODERS,
    check_decoder_name,
    files_of,
)
from ncodec.inference.entry import FORMAT, read_entry, write_entry
from ncodec.inference.model import Model
from ncodec.inference.store import check_replaceable, staged
from ncodec.inference.torch import load_decoder, load_network
from ncodec.networks.complexity import decoder_kmac
from ncodec.networks.image import ImageModel
from ncodec.networks.shrunk import ShrunkDecoder, decoder_of
from ncodec.quality import FULL
from ncodec.training.export.folder import write_decoder
from ncodec.training.export.onnx import (
    describe_files,
    round_to_half,
)


@dataclass(frozen=True)
class Variant:
    """A decoder of a model, and how it came about."""

    decoder: ShrunkDecoder
    made_by: tuple[str, ...]
    """a line for each method that made it, none of the model's own"""

    def changed(self, decoder: ShrunkDecoder, method: str) -> "Variant":
        """The variant after one method more."""
        return replace(self, decoder=decoder, made_by=(*self.made_by, method))


def load_variant(model: Model, name: str) -> Variant:
    """A decoder of a model of pictures, "full" for its own; raises ModelError for a model of frames
    and for a decoder that it does not have."""
    network = load_network(model)
    if not isinstance(network, ImageModel):
        msg = f"expected a model of pictures, got {model.name} of frames, whose decoder every "
        msg += "machine has to run alike"
        raise ModelError(msg)
    if name == FULL:
        return Variant(decoder_of(network), ())
    if name not in model.decoders:
        known = ", ".join((FULL, *model.decoders))
        msg = f"expected a decoder of model {model.name} among {known}, got {name}"
        raise ModelError(msg)
    made_by = read_entry(model.folder)["decoders"][name]["made_by"]
    return Variant(load_decoder(model, name, config=network.config), tuple(made_by))


def check_room(model: Model, name: str, *, output: Path | None, overwrite: bool) -> None:
    """Raise ModelError unless a model can have a decoder of this name, and OutputError unless the
    folder `output` can be written, None for the model's own; with `overwrite`, what is there is
    replaced."""
    check_decoder_name(name)
    check_replaceable(output or model.folder, overwrite=overwrite or output is None)
    if name in model.decoders and not overwrite:
        msg = f"model {model.name} has a decoder {name}: -f replaces it, --name gives another name"
        raise ModelError(msg)
    if len({*model.decoders, name}) > MOST_DECODERS:
        msg = f"expected at most {MOST_DECODERS} decoders beside a model's own, got one more"
        raise ModelError(msg)


def save_variant(
    model: Model,
    name: str,
    variant: Variant,
    lost_db: list[tuple[int, float]],
    *,
    folder: Path,
    overwrite: bool,
) -> float:
    """Make `folder` that of a model with a decoder more, whole or not at all, and return the
    decoder's thousand multiply–accumulates a pixel.

    It may be the model's own folder. `lost_db` are (QP, dB lost on held-out crops). Weights are
    rounded to float16 in the decoder too. Raises ModelError for a graph that no runtime would take,
    OutputError where the folder cannot be written.
    """
    round_to_half(variant.decoder)
    kmac = round(decoder_kmac(variant.decoder), 2)
    entry = read_entry(model.folder)
    facts = {
        "decode_kmac_per_pixel": kmac,
        "made_by": list(variant.made_by),
        "lost_db": [list(point) for point in lost_db],
    }
    decoders = {**entry.get("decoders", {}), name: facts}
    with staged(folder, overwrite=overwrite or folder == model.folder) as made:
        for file in entry["sha256"].keys() - files_of([name]):
            shutil.copyfile(model.path(file), made / file)
        write_decoder(variant.decoder, name, made)
        entry = {**entry, "format": FORMAT, **describe_files(made), "decoders": decoders}
        write_entry(entry, made)
        check_content(entry, made)
    return kmac
