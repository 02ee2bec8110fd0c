"""Short sequences to learn prediction from: cuts of real clips, and photographs that are made to
move."""

import io
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ncodec.errors import InputError
from ncodec.media.numbered import CLIP_SUFFIXES
from ncodec.quality import QP_COUNT
from ncodec.training.pictures import CropOptions, Loaded, PictureBank, Pixels, split
from ncodec.training.sources import read_sources
from ncodec.video.motion.predictor import FramePredictor
from ncodec.video.motion.search import MotionSearch
from ncodec.video.rate_control import LEAST_BELOW


@dataclass(frozen=True)
class ClipOptions:
    """Options of batches of sequences."""

    crop: int = 256
    """side of a sequence's frames in pixels, a multiple of 64"""
    batch: int = 4
    """sequences a step, of each process"""
    frames: int = 16
    """frames of a sequence, the first of which is coded as a picture"""
    together: int = 3
    """predicted frames that a step prices; a later step goes on with those after them"""
    stride: int = 2
    """a sequence takes every frame of its clip, or every second one and so on up to this"""
    synthetic: float = 0.4
    """share of the sequences that are photographs made to move, where there are photographs"""
    held_out: int = 16
    """clips kept for validation, spread evenly over the list; at most one in eight"""
    memory_gb: float = 8.0
    """memory for clips, and as much again for photographs"""
    seed: int = 1


def load_clips(files: Iterable[tuple[str, bytes]], *, options: ClipOptions) -> Loaded:
    """Decode named files to clips, (T, H, W, 3) uint8 RGB, the list `Loaded.pictures`.

    Skipped, with a reason, are files that cannot be read, have fewer than `options.frames` frames
    or a side below `options.crop`, or do not fit into what is left of `options.memory_gb`. Raises
    InputError when none is left.
    """
    clips: list[Pixels] = []
    skipped: list[str] = []
    room = options.memory_gb * 1e9
    for name, data in files:
        found = _decode(data, most=room)
        if isinstance(found, str):
            skipped.append(f"{name}: {found}")
        elif len(found) < options.frames or min(found.shape[1:3]) < options.crop:
            size = f"{len(found)} frames of {found.shape[2]}×{found.shape[1]}"
            skipped.append(
                f"{name}: {size} are fewer than {options.frames} or smaller than {options.crop}"
            )
        else:
            clips.append(found)
            room -= found.nbytes
    if not clips:
        first = f"; {skipped[0]}" if skipped else ""
        msg = (
            f"expected clips of {options.frames} frames of {options.crop}×{options.crop} pixels, "
            f"got none{first}"
        )
        raise InputError(msg)
    return Loaded(clips, skipped)


def _decode(data: bytes, *, most: float) -> Pixels | str:
    try:
        frames: list[Pixels] = []
        with av.open(io.BytesIO(data), "r", metadata_errors="replace") as container:
            for frame in container.decode(video=0):
                frames.append(np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8))
                if len(frames) * frames[0].nbytes > most:
                    return "the memory for clips is full"
        return np.stack(frames)
    except Exception as error:  # decoders of damaged files raise all sorts
        return f"cannot be read: {error}"


class Predictors:
    """Motion prediction of the next frames of sequences from decoded frames, as in an encoder."""

    def __init__(self, intra: Tensor) -> None:
        """`intra` is what the first frames were decoded to, (B, H, W, 3) uint8."""
        self._each = [FramePredictor(pixels) for pixels in intra.cpu().numpy()]

    def predict(self, frames: Tensor, last: Tensor, qp: Tensor) -> Tensor:
        """Predict the next frames from the last decoded ones, each (B, H, W, 3) uint8, at (B,) QPs.

        QPs are rounded. Called once for each frame, in order; returns (B, H, W, 3) uint8 on the
        device of `frames`.
        """
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            inputs = self._each, frames.cpu().numpy(), last.cpu().numpy(), qp.tolist()
            predicted = list(pool.map(_predict, *inputs))
        return torch.from_numpy(np.stack(predicted)).to(frames.device)


def _predict(predictor: FramePredictor, frame: Pixels, last: Pixels, qp: float) -> Pixels:
    motion = predictor.choose(MotionSearch(frame, last), qp=round(qp))
    predicted = predictor.compensate(last, motion)
    predictor.follow(motion)
    return predicted


def intra_qp(qp: Tensor) -> Tensor:
    """QPs of the intra frames before predicted frames of these QPs: 15 more, at most 63, any shape.

    Encoders add 15 where the QP is low, and up to 19 where it is higher.
    """
    return (qp + LEAST_BELOW).clamp(max=QP_COUNT - 1)


def to_bytes(pixels: Tensor) -> Tensor:
    """(B, 3, H, W) in 0…1, unclipped → (B, H, W, 3) uint8, as a decoder delivers them."""
    return (pixels.detach().permute(0, 2, 3, 1) * 255).round().clamp(0, 255).to(torch.uint8)


def centre_sequence(clip: Pixels, options: ClipOptions) -> Pixels:
    """The middle of a clip, (frames, crop, crop, 3)."""
    wanted = (options.frames, options.crop, options.crop)
    first, top, left = (
        (have - want) // 2 for have, want in zip(clip.shape[:3], wanted, strict=True)
    )
    return clip[
        first : first + options.frames, top : top + options.crop, left : left + options.crop
    ]


class ClipBank:
    """Clips and photographs in memory, from which sequences are cut or made."""

    def __init__(self, clips: list[Pixels], photographs: PictureBank | None) -> None:
        self.clips = clips
        self.photographs = photographs
        # Where much moves there is much to learn; most real clips hardly move.
        change = [np.abs(c[1:, ::4, ::4].astype(np.int16) - c[:-1, ::4, ::4]).mean() for c in clips]
        self.weights = torch.tensor([math.sqrt(0.5 + float(c)) for c in change])

    def draw(self, options: ClipOptions, generator: torch.Generator) -> Tensor:
        """Draw a batch of sequences, (batch, frames, crop, crop, 3) uint8, on the CPU.

        Each is made of two photographs (`move`) with the probability `options.synthetic`, 0 without
        photographs; others are cut from clips, with a stride of up to `options.stride`, and are
        flipped, transposed and played backwards at random.
        """
        share = options.synthetic if self.photographs else 0.0
        made = int((torch.rand(options.batch, generator=generator) < share).sum())
        sequences = [self._cut(options, generator) for _ in range(options.batch - made)]
        if made and self.photographs:
            side = min(2 * options.crop, self.photographs.longest_crop)
            pictures = self.photographs.draw(CropOptions(crop=side, batch=2 * made), generator)
            pairs = zip(pictures[::2], pictures[1::2], strict=True)
            sequences += [move(*pair, options=options, generator=generator) for pair in pairs]
        return torch.stack(sequences)

    def _cut(self, options: ClipOptions, generator: torch.Generator) -> Tensor:
        """A sequence of a clip, flipped, transposed or played backwards."""
        clip = self.clips[int(torch.multinomial(self.weights, 1, generator=generator))]
        most = min(options.stride, (len(clip) - 1) // max(1, options.frames - 1))
        stride = 1 + _below(most, generator)
        first = _below(len(clip) - stride * (options.frames - 1), generator)
        top, left = (_below(side - options.crop + 1, generator) for side in clip.shape[1:3])
        frames = clip[first::stride][
            : options.frames, top : top + options.crop, left : left + options.crop
        ]
        cut = torch.from_numpy(np.ascontiguousarray(frames))
        flipped = [axis for axis in (0, 1, 2) if _below(2, generator)]
        cut = cut.flip(flipped)
        return cut.transpose(1, 2) if _below(2, generator) else cut


def _below(count: int, generator: torch.Generator) -> int:
    """A whole number in 0…count - 1."""
    return int(torch.randint(max(1, count), (1,), generator=generator))


def move(
    background: Tensor, foreground: Tensor, *, options: ClipOptions, generator: torch.Generator
) -> Tensor:
    """Make a sequence, (frames, crop, crop, 3) uint8, of two photographs, (S, S, 3) uint8.

    Each pans steadily, and may turn and zoom too, or stands still. In half of the sequences the
    foreground passes as a moving ellipse, in the other half only the background is seen; some have
    changing light or noise.
    """
    behind = _pan(background, options, generator)  # (T, 3, crop, crop)
    before = _pan(foreground, options, generator)
    mask = _ellipses(options, generator)  # (T, 1, crop, crop)
    frames = before * mask + behind * (1 - mask)
    chance = torch.rand(3, generator=generator)
    times = torch.arange(options.frames)[:, None, None, None]
    if chance[0] < 0.2:
        frames = frames * (1 + 0.04 * (chance[1] - 0.5) * times)
    if chance[2] < 0.4:
        frames = frames + 5 * chance[2] * torch.randn(frames.shape, generator=generator)
    return frames.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _pan(photograph: Tensor, options: ClipOptions, generator: torch.Generator) -> Tensor:
    """Frames of a photograph, (S, S, 3) uint8, that pans, turns and zooms, (T, 3, crop, crop)
    float."""
    chance = torch.rand(6, generator=generator)
    side = photograph.shape[0]
    times = torch.arange(options.frames) - (options.frames - 1) / 2
    # Speeds are equally likely on a log scale, from a quarter of a pixel to sixteen a frame; every
    # fourth stands still.
    speed = 0.0 if chance[0] < 0.25 else 0.25 * 64 ** float(chance[1])
    turn = float((chance[3] - 0.5) * 0.03 * (chance[0] > 0.6))
    zoom = float((chance[4] - 0.5) * 0.04 * (chance[0] > 0.6))
    heading = 2 * math.pi * float(chance[2])
    angles, scales = turn * times, torch.exp(zoom * times) * (options.crop / side)
    matrix = torch.zeros(options.frames, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scales * angles.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = -scales * angles.sin(), scales * angles.sin()
    matrix[:, 0, 2] = times * speed * math.cos(heading) * 2 / side
    matrix[:, 1, 2] = times * speed * math.sin(heading) * 2 / side
    picture = photograph.permute(2, 0, 1)[None].float().expand(options.frames, -1, -1, -1)
    grid = F.affine_grid(
        matrix, [options.frames, 3, options.crop, options.crop], align_corners=False
    )
    return F.grid_sample(
        picture, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    )


def _ellipses(options: ClipOptions, generator: torch.Generator) -> Tensor:
    """A moving soft-edged ellipse for each frame, (T, 1, crop, crop) in 0…1; in half of the
    sequences there is none."""
    chance = torch.rand(8, generator=generator)
    if chance[0] < 0.5:
        return torch.zeros(options.frames, 1, options.crop, options.crop)
    times = torch.arange(options.frames)[:, None, None]
    velocity = (chance[1:3] - 0.5) * 24
    places = torch.arange(options.crop, dtype=torch.float32)
    rows = places[None, :, None] - chance[3] * options.crop - velocity[0] * times
    columns = places[None, None, :] - chance[4] * options.crop - velocity[1] * times
    high, wide = (options.crop * (0.1 + 0.3 * c) for c in chance[5:7])
    distance = torch.sqrt((rows / high) ** 2 + (columns / wide) ** 2)
    mask: Tensor = ((1 - distance) * high / 2).clamp(0, 1)
    return mask[:, None]


def calibration_clips(
    sources: Sequence[str | Path], *, count: int = 12, side: int = 256, frames: int = 5
) -> list[Pixels]:
    """At most `count` centre crops of training clips, (frames, side, side, 3) uint8, for
    `frame_examples`.

    Clips shorter than `frames` or smaller than `side` are skipped; of the rest, held-out ones are
    left out as by `ClipData` with default options. Raises InputError for sources that cannot be
    read or hold fewer than two such clips.
    """
    options = ClipOptions(crop=side, frames=frames)
    clips = load_clips(read_sources(sources, suffixes=CLIP_SUFFIXES), options=options).pictures
    trained = split(clips, held_out=options.held_out)[0]
    return [centre_sequence(clip, options) for clip in trained[:: max(1, len(trained) // count)]][
        :count
    ]
