"""Frames beside their predictions, as an encoder makes them: what models of predicted frames learn from."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import TensorDataset

from ncodec.bitstream import QP_COUNT
from ncodec.control import ConstantQuality
from ncodec.errors import InputError
from ncodec.records import Tag
from ncodec.suffixes import CLIP_SUFFIXES
from ncodec.training.clips import ClipBank, ClipOptions, centre_sequence, load_clips
from ncodec.training.data import Batches, StreamData
from ncodec.training.pictures import PictureBank, Pixels, load_pictures, split
from ncodec.training.sources import has_pictures, read_sources
from ncodec.video import FrameCodecs, FrameEncoder

TRAINED, HELD_OUT = "trained", "held-out"
"""folders of pairs"""
LEAST_LEVEL = 12
"""qp of the coarsest intra frames: predicted ones after finer ones have other qps"""
KEPT = 0.15
"""chance of a predicted frame to be kept, but of held-out clips all are; those one after the other are much alike"""
QP_SPREAD = 3.0
"""steps of qp around that of the encoder at which a pair is trained"""
QUALITY = 95
"""of AVIF, which keeps pairs at about 45 dB in a twentieth of their size"""


@dataclass(frozen=True)
class Pair:
    """A frame and its prediction."""

    both: Pixels
    """(2, H, W, 3): what was to be coded, and what it was predicted as"""
    qp: int
    """at which it was coded"""
    held_out: bool
    """whether the clip is one of those kept for validation"""


def make_pairs(
    sources: Sequence[str | Path], codecs: FrameCodecs, *, options: ClipOptions, seed: int = 1
) -> Iterator[Pair]:
    """Pairs of sequences that an encoder codes at random qualities, without an end; the first few of held-out clips.

    Sources hold clips, and photographs that are made to move. Raises InputError where there are no clips.
    """
    loaded = load_clips(read_sources(sources, suffixes=CLIP_SUFFIXES), options=options)
    loaded.report()
    clips, held_out = split(loaded.pictures, held_out=options.held_out)
    bank = ClipBank(clips, _photographs(sources, options))
    generator = torch.Generator().manual_seed(seed)
    for clip in held_out:
        sequence = torch.from_numpy(centre_sequence(clip, options).copy())
        yield from _code(sequence, codecs, generator, held_out=True)
    while True:
        for sequence in bank.draw(options, generator):
            yield from _code(sequence, codecs, generator, held_out=False)


def _photographs(sources: Sequence[str | Path], options: ClipOptions) -> PictureBank | None:
    if options.synthetic == 0 or not has_pictures(sources):
        return None
    found = load_pictures(read_sources(sources), smallest=options.crop, memory_gb=options.memory_gb)
    found.report()
    return PictureBank(found.pictures)


def _code(frames: Tensor, codecs: FrameCodecs, generator: torch.Generator, *, held_out: bool) -> Iterator[Pair]:
    """Some of the predicted frames of a sequence, (T, H, W, 3) uint8."""
    control = ConstantQuality(int(torch.randint(LEAST_LEVEL, QP_COUNT, (), generator=generator)))
    encoder = FrameEncoder(codecs)
    for pts, frame in enumerate(frames.contiguous().numpy()):
        look = encoder.look(frame)
        qp = control.qp(look.tag, left=1)
        encoder.encode(look, pts=pts, qp=qp)
        kept = held_out or bool(torch.rand((), generator=generator) < KEPT)
        if kept and look.tag == Tag.PREDICTED and encoder.prediction is not None:
            yield Pair(np.stack([frame, encoder.prediction]), qp, held_out)


def write_pair(pair: Pair, folder: Path, *, index: int) -> Path:
    """Write a pair, the frame above its prediction, as `folder/{trained,held-out}/{index}-{qp}.avif`."""
    path = folder / (HELD_OUT if pair.held_out else TRAINED) / f"{index:05d}-{pair.qp:02d}.avif"
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    Image.fromarray(np.concatenate(pair.both)).save(stream, "avif", quality=QUALITY, subsampling="4:4:4", speed=8)
    path.write_bytes(stream.getvalue())
    return path


def read_pairs(folder: Path) -> tuple[Tensor, Tensor]:
    """A folder of pairs → (N, 2, H, W, 3) uint8 and the qp of each, (N,) float; raises InputError for another."""
    files = list(read_sources([folder]))
    try:
        qps = [float(Path(name).stem.split("-")[1]) for name, _ in files]
    except (IndexError, ValueError) as error:
        msg = f"{folder}: expected pairs of `ncodec train pairs`, got other pictures: {error}"
        raise InputError(msg) from error
    pictures = load_pictures(files, smallest=64).pictures
    if len(pictures) != len(qps) or len({p.shape for p in pictures}) > 1 or len(pictures[0]) % 128:
        msg = f"{folder}: expected pairs of one size, whose sides are multiples of 64, got others"
        raise InputError(msg)
    both = np.stack(pictures).reshape(len(qps), 2, -1, *pictures[0].shape[1:])
    return torch.from_numpy(both), torch.tensor(qps)


@dataclass(frozen=True)
class PairOptions:
    """How batches are drawn."""

    batch: int = 16
    """pairs a step, of each process"""
    seed: int = 1


class PairData(StreamData):
    """Pairs in memory, turned over and at qps near their own, and those of held-out clips as they are."""

    def __init__(self, folder: Path, options: PairOptions, *, qp_count: int) -> None:
        super().__init__(batch=options.batch)
        self.options = options
        self.qp_count = qp_count
        self.trained = read_pairs(folder / TRAINED)
        self.validated = read_pairs(folder / HELD_OUT)

    def batches(self, first: int) -> Batches:
        """Pairs, (B, 2, H, W, 3) uint8, and a qp for each."""
        both, qps = (tensor.to(self.device()) for tensor in self.trained)
        last = self.qp_count - 1

        def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
            chance = torch.rand(4, self.options.batch, generator=generator, device=both.device)
            which = (chance[0] * len(qps)).long()
            pairs = both[which]
            for axis in (2, 3):
                pairs = torch.where((chance[axis - 1] < 0.5).view(-1, 1, 1, 1, 1), pairs.flip(axis), pairs)
            return pairs, (qps[which] + QP_SPREAD * (2 * chance[3] - 1)).clamp(0, last)

        return Batches(draw, device=both.device, seed=self.options.seed, first=first)

    def held_out_set(self) -> TensorDataset:
        """Pairs and their qps."""
        return TensorDataset(*self.validated)
