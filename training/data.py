"""Photographs in memory as uint8, random crops of them, and the patch statistics that training starts from."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from ncodec.errors import InputError
from ncodec.models.blocks import patchify
from ncodec.models.image import ImageConfig, Statistics

Pixels = npt.NDArray[np.uint8]

SUFFIXES = frozenset({".avif", ".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class CropOptions:
    """How batches are drawn."""

    crop: int = 256
    """side of a training crop in pixels, a multiple of 64"""
    batch: int = 8
    """crops a step, of each process"""
    held_out: int = 16
    """photographs kept for validation, spread evenly over the sorted list"""
    seed: int = 1


def find_pictures(folders: list[Path], *, exclude: list[Path] | None = None) -> list[Path]:
    """Every picture file below `folders`, sorted by path; raises InputError when there is none."""
    found = sorted({p.resolve() for folder in folders for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES})
    left_out = {p.resolve() for p in exclude or []}
    if strangers := left_out - set(found):
        msg = f"expected excluded pictures to be below the data, got {min(strangers)}"
        raise InputError(msg)
    kept = [p for p in found if p not in left_out]
    if not kept:
        msg = f"expected pictures below {', '.join(map(str, folders))}, got none"
        raise InputError(msg)
    return kept


def load_pictures(paths: list[Path], *, smallest: int) -> list[Pixels]:
    """Decode to (H, W, 3) uint8, leaving out pictures with a side below `smallest`."""

    def load(path: Path) -> Pixels:
        try:
            with Image.open(path) as picture:
                return np.asarray(picture.convert("RGB"))
        except Exception as error:  # decoders of damaged files raise all sorts
            msg = f"{path}: cannot be read: {error}"
            raise InputError(msg) from error

    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(load, paths))
    kept = [p for p in pictures if min(p.shape[:2]) >= smallest]
    if not kept:
        msg = f"expected pictures of at least {smallest}×{smallest} pixels, got none among {len(paths)}"
        raise InputError(msg)
    return kept


class RandomCrops(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless batches of crops with random flips and transposes, each crop with a random qp.

    Pictures are drawn in proportion to their area, so every pixel is equally likely.
    """

    def __init__(self, pictures: list[Pixels], options: CropOptions, *, qp_count: int, start: int = 0) -> None:
        self.pictures = pictures
        self.options = options
        self.qp_count = qp_count
        self.start = start
        areas = np.array([p.shape[0] * p.shape[1] for p in pictures], dtype=np.float64)
        self.probabilities = areas / areas.sum()

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        rng = np.random.default_rng([self.options.seed, self.start, rank])
        while True:
            crops = np.stack([self._crop(rng) for _ in range(self.options.batch)])
            qps = rng.integers(0, self.qp_count, self.options.batch)
            yield torch.from_numpy(crops), torch.from_numpy(qps.astype(np.float32))

    def _crop(self, rng: np.random.Generator) -> Pixels:
        picture = self.pictures[rng.choice(len(self.pictures), p=self.probabilities)]
        side = self.options.crop
        top, left = (int(rng.integers(0, size - side + 1)) for size in picture.shape[:2])
        crop = picture[top : top + side, left : left + side]
        if rng.random() < 0.5:
            crop = crop.swapaxes(0, 1)
        crop = crop[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
        return np.ascontiguousarray(crop)


def to_unit(crops: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 → (B, 3, H, W) float32 in 0…1, channels last in memory."""
    return crops.permute(0, 3, 1, 2).float() / 255


def patch_statistics(pictures: list[Pixels], config: ImageConfig, *, crops: int = 400, seed: int = 1) -> Statistics:
    """Principal components of 16×16 RGB patches, from `crops` random crops of 128×128."""
    options = CropOptions(crop=128, batch=crops, seed=seed)
    batch, _ = next(iter(RandomCrops(pictures, options, qp_count=config.qp_count)))
    patches = patchify(to_unit(batch) - 0.5).permute(0, 2, 3, 1).reshape(-1, 768) * 255
    values, vectors = torch.linalg.eigh(patches.T.double() @ patches.double() / len(patches))
    basis = vectors.flip(1)[:, : config.latent].T  # (latent, 768), largest first
    deviations = values.flip(0)[: config.latent].clamp(min=0).sqrt()
    return Statistics(basis.float().contiguous(), deviations.float())


def calibration_pictures(folders: list[Path], *, count: int = 40, side: int = 512) -> list[Pixels]:
    """Centre crops of at most side × side, multiples of 64, of pictures that `PictureData` trains on by default."""
    crops = CropOptions()
    pictures = load_pictures(find_pictures(folders), smallest=crops.crop)
    trained = split(pictures, held_out=crops.held_out)[0]
    return [_centre(p, side) for p in trained[:: max(1, len(trained) // count)]]


def _centre(picture: Pixels, side: int) -> Pixels:
    high, wide = (min(side, size // 64 * 64) for size in picture.shape[:2])
    top, left = (picture.shape[0] - high) // 2, (picture.shape[1] - wide) // 2
    return picture[top : top + high, left : left + wide]


def split(pictures: list[Pixels], *, held_out: int) -> tuple[list[Pixels], list[Pixels]]:
    """Pictures to train on, and those held out, spread evenly over the list; raises InputError when one is empty."""
    if not 1 <= held_out < len(pictures):
        msg = f"expected at least 1 picture held out and 1 to train on, got {held_out} of {len(pictures)}"
        raise InputError(msg)
    chosen = set(range(0, len(pictures), max(1, len(pictures) // held_out))[:held_out])
    trained = [p for i, p in enumerate(pictures) if i not in chosen]
    return trained, [p for i, p in enumerate(pictures) if i in chosen]


class PictureData(pl.LightningDataModule):
    """Training crops and fixed held-out crops of a folder of pictures, decoded once into memory."""

    def __init__(
        self, folders: list[Path], options: CropOptions, *, qp_count: int, exclude: list[Path] | None = None
    ) -> None:
        super().__init__()
        self.options = options
        self.qp_count = qp_count
        self.start = 0
        pictures = load_pictures(find_pictures(folders, exclude=exclude), smallest=options.crop)
        self.pictures, self.held_out = split(pictures, held_out=options.held_out)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Batches of (B, H, W, 3) uint8 and (B,) qp."""
        crops = RandomCrops(self.pictures, self.options, qp_count=self.qp_count, start=self.start)
        return DataLoader(crops, batch_size=None)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """One centre crop of each held-out picture, (N, H, W, 3) uint8."""
        crops = [_centre(p, self.options.crop) for p in self.held_out]
        return DataLoader(TensorDataset(torch.from_numpy(np.stack(crops))), batch_size=self.options.batch)

    def state_dict(self) -> dict[str, int]:
        """A fresh random stream after every resume: the count of starts."""
        return {"start": self.start}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Continue with crops not seen before the checkpoint."""
        self.start = state_dict["start"] + 1
