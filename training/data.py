"""The data module: batches that a resumed run repeats exactly, fixed held-out crops."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from ncodec.networks.blocks import patchify
from ncodec.networks.config import ImageConfig
from ncodec.networks.image import Statistics
from ncodec.training.pictures import CropOptions, PictureBank, Pixels, centre, load_pictures, split
from ncodec.training.sources import read_sources

Batch = tuple[Tensor, Tensor]


def to_unit(crops: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 → (B, 3, H, W) float32 in 0…1, channels last in memory."""
    return crops.permute(0, 3, 1, 2).float() / 255


def step_seed(seed: int, rank: int, step: int) -> int:
    """A seed for one step of one process, unlike that of any other."""
    return int(
        np.random.SeedSequence([seed, rank, step]).generate_state(1, np.uint64)[0] >> np.uint64(1)
    )


def spread_qps(batch: int, qp_count: int, generator: torch.Generator) -> Tensor:
    """(B,) whole qps as float, one from each of B equal parts of the range: every batch sees low
    and high rates."""
    device = generator.device
    places = torch.arange(batch, device=device) + torch.rand(
        batch, generator=generator, device=device
    )
    return (places * (qp_count / batch)).floor().clamp(max=qp_count - 1)


class Batches(IterableDataset[Batch]):
    """Endless batches of crops, (B, …, H, W, 3) uint8, with a qp for each, (B,) float; batch n
    depends on n alone."""

    def __init__(
        self,
        draw_one: Callable[[torch.Generator], Batch],
        *,
        device: torch.device,
        seed: int,
        first: int = 0,
    ) -> None:
        self.draw_one = draw_one
        self.device = device
        self.seed = seed
        self.first = first

    def draw(self, position: int) -> Batch:
        """The batch of this process at a position of the stream."""
        rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        generator = torch.Generator(self.device).manual_seed(step_seed(self.seed, rank, position))
        return self.draw_one(generator)

    def __iter__(self) -> Iterator[Batch]:
        return (self.draw(position) for position in count(self.first))


def picture_batches(
    bank: PictureBank, options: CropOptions, *, qp_count: int, first: int = 0
) -> Batches:
    """Batches of crops of pictures, (B, H, W, 3) uint8."""

    def draw(generator: torch.Generator) -> Batch:
        return bank.draw(options, generator), spread_qps(options.batch, qp_count, generator)

    return Batches(draw, device=bank.pixels.device, seed=options.seed, first=first)


class StreamData(pl.LightningDataModule, ABC):
    """Batches of a stream that a resumed run continues, and held-out crops."""

    def __init__(self, *, batch: int) -> None:
        super().__init__()
        self.batch = batch
        self.first = 0
        self.place = torch.device("cpu")
        """where batches are drawn without a trainer"""

    @abstractmethod
    def batches(self, first: int) -> Batches:
        """The stream from a position on."""

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches on the training device."""
        return DataLoader(self.batches(self.first), batch_size=None)

    @abstractmethod
    def held_out_set(self) -> TensorDataset:
        """Held-out crops for validation."""

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """The held-out set in batches."""
        return DataLoader(self.held_out_set(), batch_size=self.batch)

    def device(self) -> torch.device:
        """The device on which batches are drawn: that of training, but the CPU for XLA, which would
        compile every crop."""
        device = self.trainer.strategy.root_device if self.trainer else self.place
        return torch.device("cpu") if device.type == "xla" else device

    def state_dict(self) -> dict[str, int]:
        """The place in the stream of batches."""
        return {"first": self.trainer.global_step if self.trainer else self.first}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Continue with the batch after the checkpoint."""
        self.first = state_dict["first"]


class PictureData(StreamData):
    """Training crops and fixed held-out crops of pictures that are decoded once into memory."""

    def __init__(
        self,
        sources: Sequence[str | Path],
        options: CropOptions,
        *,
        qp_count: int,
        exclude: Sequence[str | Path] = (),
    ) -> None:
        super().__init__(batch=options.batch)
        self.options = options
        self.qp_count = qp_count
        files = read_sources(sources, exclude=exclude)
        loaded = load_pictures(files, smallest=options.crop, memory_gb=options.memory_gb)
        loaded.report()
        self.pictures, held_out = split(loaded.pictures, held_out=options.held_out)
        self.held_out = [centre(p, options.crop) for p in held_out]
        self.bank: PictureBank | None = None

    def held_out_set(self) -> TensorDataset:
        """Crops, (N, H, W, 3) uint8."""
        return TensorDataset(torch.from_numpy(np.stack(self.held_out)))

    def batches(self, first: int) -> Batches:
        """Batches of crops, (batch, crop, crop, 3) uint8, and QPs, from the position `first` on.

        The first call moves the pictures to the device and empties their list. Raises InputError
        where they do not fit.
        """
        if self.bank is None:
            self.bank = PictureBank(self.pictures, device=self.device())
        return picture_batches(self.bank, self.options, qp_count=self.qp_count, first=first)


def patch_statistics(
    pictures: list[Pixels], config: ImageConfig, *, crops: int = 400, seed: int = 1
) -> Statistics:
    """Directions and spreads of 16×16 RGB patches, from which networks start as a PCA transform.

    Principal components about mid-grey, the `config.latent` largest first: orthonormal rows,
    (latent, 768), and standard deviations, (latent,), in 8-bit levels. Patches come from `crops`
    random crops of 64×64 of about a hundred pictures, (H, W, 3) uint8, evenly spread over the list;
    at least one of these needs sides of 64.
    """
    options = CropOptions(crop=64, batch=crops)
    bank = PictureBank(pictures[:: max(1, len(pictures) // 100)])
    batch = bank.draw(options, torch.Generator().manual_seed(seed))
    patches = patchify(to_unit(batch) - 0.5).permute(0, 2, 3, 1).reshape(-1, 768) * 255
    values, vectors = torch.linalg.eigh(patches.T.double() @ patches.double() / len(patches))
    basis = vectors.flip(1)[:, : config.latent].T  # (latent, 768), largest first
    deviations = values.flip(0)[: config.latent].clamp(min=0).sqrt()
    return Statistics(basis.float().contiguous(), deviations.float())


def calibration_pictures(
    sources: Sequence[str | Path],
    *,
    exclude: Sequence[str | Path] = (),
    count: int = 40,
    side: int = 512,
) -> list[Pixels]:
    """Centre crops of evenly spread training pictures, (H, W, 3) uint8, for `picture_examples`.

    There are `count` to 2·`count` - 1 of them, fewer of fewer pictures; sides are at most `side`,
    multiples of 64. Held-out pictures are left out as by `PictureData` with default options. Raises
    InputError for sources that cannot be read or hold fewer than two pictures of 256×256.
    """
    crops = CropOptions()
    pictures = load_pictures(read_sources(sources, exclude=exclude), smallest=crops.crop).pictures
    trained = split(pictures, held_out=crops.held_out)[0]
    return [centre(p, side) for p in trained[:: max(1, len(trained) // count)]]
