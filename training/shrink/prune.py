"""Structured pruning: whole channels of groups of layers that belong together.

A channel's score is the square of the first-order change of the loss without it (Molchanov et al.
2019), by thousand multiply–accumulates a pixel that go with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ncodec.errors import InputError
from ncodec.networks.blocks import Block, GatedFfn
from ncodec.networks.complexity import decoder_kmac
from ncodec.networks.shrunk import ShrunkDecoder, decoder_from
from ncodec.training.shrink.examples import Examples
from ncodec.training.shrink.finetune import loss_of

ROUND = 8
"""multiple of channels that is kept, as processors work on blocks of 8 or 16"""
SCORED_BATCHES = 48


@dataclass(frozen=True)
class Member:
    """Place of the channels of a group in a tensor: along `axis`, seen as (outer, channels,
    inner)."""

    tensor: str
    axis: int
    outer: int = 1
    inner: int = 1


@dataclass(frozen=True)
class Group:
    """Tensors that lose the same channels."""

    name: str
    channels: int
    members: tuple[Member, ...]


def groups_of(decoder: ShrunkDecoder) -> list[Group]:
    """Groups of a decoder: the streams of the hyper-latents, of the means, of the body and of the
    renderer, and what is within each of their blocks.

    Raises InputError for factored or quantized layers, whose channels are no longer free.
    """
    for name, module in decoder.named_modules():
        if hasattr(module, "reduce") or hasattr(module, "ranges"):
            msg = (
                f"expected a decoder to prune before it is decomposed or quantized, got {name} of "
            )
            msg += "that kind"
            raise InputError(msg)
    means, synthesis = decoder.means, decoder.synthesis
    streams = [
        _stream(
            "hyper",
            means.enter.out_channels,
            [
                *_rows("means.enter"),
                *_through("means.coarse", means.coarse),
                Member("means.up.weight", 0),
            ],
        ),
        _stream(
            "entropy",
            means.up.out_channels,
            [
                Member("means.up.weight", 1),
                Member("means.up.bias", 0),
                Member("means.quality.knots", 1),
                *_through("means.fine", means.fine),
                Member("means.first.weight", 1),
                *_rows("means.context"),
                *_through("means.merge", means.merge),
                Member("means.second.weight", 1),
            ],
        ),
        _stream(
            "body",
            synthesis.enter.out_channels,
            [
                *_rows("synthesis.enter"),
                Member("synthesis.quality.knots", 1),
                *_all_through("synthesis.body", synthesis.body),
                Member("synthesis.spread.weight", 1),
            ],
        ),
        _stream(
            "render",
            synthesis.look.out_channels,
            [
                Member("synthesis.spread.weight", 0, inner=16),
                Member("synthesis.spread.bias", 0, inner=16),
                *_rows("synthesis.look"),
                *_all_through("synthesis.render", synthesis.render),
                Member("synthesis.head.weight", 1),
            ],
        ),
    ]
    return [*streams, *_inner_groups(decoder)]


def _stream(name: str, channels: int, members: Sequence[Member]) -> Group:
    return Group(name, channels, tuple(members))


def _rows(layer: str) -> list[Member]:
    return [Member(f"{layer}.weight", 0), Member(f"{layer}.bias", 0)]


def _through(name: str, block: nn.Module) -> list[Member]:
    """Tensors of a block along the stream that runs through it."""
    ends = [Member(f"{name}.ffn.expand.weight", 1), *_rows(f"{name}.ffn.project")]
    if isinstance(block, Block):
        return [Member(f"{name}.enter.weight", 1), *_rows(f"{name}.leave"), *ends]
    return [*_rows(f"{name}.depthwise"), *ends]


def _all_through(name: str, blocks: nn.Sequential) -> list[Member]:
    return [m for at, block in enumerate(blocks) for m in _through(f"{name}.{at}", block)]


def _inner_groups(decoder: ShrunkDecoder) -> Iterator[Group]:
    for name, module in decoder.named_modules():
        if isinstance(module, Block):
            inner = [*_rows(f"{name}.enter"), *_rows(f"{name}.depthwise")]
            members = [*inner, Member(f"{name}.leave.weight", 1)]
            yield _stream(name, module.enter.out_channels, members)
        elif isinstance(module, GatedFfn):
            halves = [Member(m.tensor, 0, outer=2) for m in _rows(f"{name}.expand")]
            members = [*halves, Member(f"{name}.project.weight", 1)]
            yield _stream(name, module.expand.out_channels // 2, members)


def _by_channel(values: Tensor, member: Member) -> Tensor:
    """Tensor → (channels, everything else)."""
    moved = values.movedim(member.axis, 0)
    split = moved.reshape(member.outer, -1, member.inner, *moved.shape[1:])
    return split.movedim(1, 0).flatten(1)


def _kept(values: Tensor, member: Member, channels: Tensor) -> Tensor:
    moved = values.movedim(member.axis, 0)
    split = moved.reshape(member.outer, -1, member.inner, *moved.shape[1:])
    kept = split[:, channels].reshape(-1, *moved.shape[1:])
    return kept.movedim(0, member.axis).contiguous()


def scores_of(
    decoder: ShrunkDecoder, groups: Sequence[Group], examples: Examples
) -> dict[str, Tensor]:
    """Group → (channels,) first-order scores, mean over batches of 8 examples.

    The loss is that of the pictures: that of the teacher's pixels has no gradient where both are
    equal.
    """
    parameters = dict(decoder.named_parameters())
    sums = {group.name: torch.zeros(group.channels) for group in groups}
    decoder.train()
    count = min(SCORED_BATCHES, len(examples) // 8)
    for batch in range(count):
        decoder.zero_grad()
        places = torch.arange(8 * batch, 8 * batch + 8)
        loss_of(decoder, examples.at(places), teacher=0).backward()  # type: ignore[no-untyped-call]
        for group in groups:
            change = torch.zeros(group.channels)
            for member in group.members:
                weight = parameters[member.tensor]
                if weight.grad is not None:
                    change += _by_channel(weight.detach() * weight.grad, member).sum(1)
            sums[group.name] += change.square() / count
    decoder.zero_grad()
    return sums


def keep_channels(decoder: ShrunkDecoder, kept: dict[Group, Tensor]) -> ShrunkDecoder:
    """A decoder of the given channels alone: group → their places, ascending int64."""
    state = dict(decoder.state_dict())
    for group, channels in kept.items():
        for member in group.members:
            state[member.tensor] = _kept(state[member.tensor], member, channels)
    return decoder_from(state, decoder.config)


def prune(
    decoder: ShrunkDecoder,
    examples: Examples,
    *,
    kmac: float,
    parts: tuple[str, ...] = ("synthesis.",),
) -> ShrunkDecoder:
    """The decoder without its least useful channels, of at most `kmac` thousand multiply–
    accumulates a pixel.

    Groups of the named parts lose channels, and keep multiples of 8, at least 8. Raises InputError
    for a decoder that is decomposed or quantized, and where even 8 channels of each group are too
    many.
    """
    groups = [g for g in groups_of(decoder) if g.members[0].tensor.startswith(parts)]
    scores = scores_of(decoder, groups, examples)
    whole = decoder_kmac(decoder)
    if whole <= kmac:
        return decoder
    prices = {g: _price(decoder, g, whole) for g in groups}
    worth = {g: scores[g.name] / prices[g] for g in groups}
    levels = torch.cat(list(worth.values())).sort().values
    low, high = 0, len(levels) - 1
    while low < high:  # least threshold that is enough
        middle = (low + high) // 2
        if decoder_kmac(_above(decoder, worth, levels[middle])) <= kmac:
            high = middle
        else:
            low = middle + 1
    smaller = _above(decoder, worth, levels[high])
    if (reached := decoder_kmac(smaller)) > kmac:
        msg = f"expected at least {reached:.2f} kMAC/px, which 8 channels of each group take, got "
        msg += f"{kmac:g}"
        raise InputError(msg)
    return smaller


def _price(decoder: ShrunkDecoder, group: Group, whole: float) -> float:
    """Thousand multiply–accumulates a pixel of one channel, without half of the group."""
    half = torch.arange(max(group.channels // 2, 1))
    return (whole - decoder_kmac(keep_channels(decoder, {group: half}))) / (
        group.channels - len(half)
    )


def _above(decoder: ShrunkDecoder, worth: dict[Group, Tensor], least: Tensor) -> ShrunkDecoder:
    kept = {}
    for group, values in worth.items():
        wanted = int((values > least).sum())
        count = min(group.channels, max(ROUND, -(-wanted // ROUND) * ROUND))
        kept[group] = values.topk(count).indices.sort().values
    return keep_channels(decoder, kept)
