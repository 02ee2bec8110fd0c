"""A student: a narrower or shallower decoder that learns from the model's own.

It begins with the model's means, gains and linear path, and with the channels of its body and
renderer that matter most.
"""

from dataclasses import dataclass

from ncodec.errors import InputError
from ncodec.networks.shrunk import ShrunkDecoder, State, decoder_from
from ncodec.training.shrink.examples import Examples
from ncodec.training.shrink.prune import groups_of, keep_channels, scores_of


@dataclass(frozen=True, kw_only=True)
class StudentShape:
    """Widths and depths of a student."""

    body_width: int
    body_depth: int
    body_expansion: float = 2.0
    """hidden channels of the feed-forward parts of the body, by its width"""
    render_width: int
    render_depth: int


def student_of(decoder: ShrunkDecoder, shape: StudentShape, examples: Examples) -> ShrunkDecoder:
    """A student of a decoder: its first blocks, and of those the channels of most first-order
    score.

    Raises InputError for a shape that is larger than the decoder in any direction.
    """
    shallow = _without_blocks(decoder, body=shape.body_depth, render=shape.render_depth)
    groups = groups_of(shallow)
    scores = scores_of(shallow, groups, examples)
    kept = {}
    for group in groups:
        wanted = _wanted(group.name, shape, group.channels)
        if wanted > group.channels:
            msg = f"expected at most {group.channels} channels of {group.name}, got {wanted}"
            raise InputError(msg)
        kept[group] = scores[group.name].topk(wanted).indices.sort().values
    return keep_channels(shallow, kept)


def _wanted(name: str, shape: StudentShape, channels: int) -> int:
    if name == "body" or name.startswith("synthesis.body"):
        hidden = name.endswith("ffn")
        return round(shape.body_width * (shape.body_expansion if hidden else 1))
    if name == "render" or name.startswith("synthesis.render"):
        return shape.render_width * 3 // 2 if name.endswith("ffn") else shape.render_width
    return channels


def _without_blocks(decoder: ShrunkDecoder, **depths: int) -> ShrunkDecoder:
    state: State = decoder.state_dict()
    for part, depth in depths.items():
        blocks = len(getattr(decoder.synthesis, part))
        if not 1 <= depth <= blocks:
            msg = f"expected a {part} of 1 to {blocks} blocks, got {depth}"
            raise InputError(msg)
        gone = tuple(f"synthesis.{part}.{at}." for at in range(depth, blocks))
        state = {name: value for name, value in state.items() if not name.startswith(gone or "-")}
    return decoder_from(state, decoder.config)
