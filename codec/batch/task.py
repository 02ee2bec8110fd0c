"""Tasks: what a batch does with each item."""

import hashlib
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Protocol

from ncodec.api.clip_work import check_parts
from ncodec.api.clips import decode_video, encode_video
from ncodec.api.codecs import model_id
from ncodec.api.ladder import StreamSettings, stream
from ncodec.api.pictures import decode_array, decode_file, encode_file, info
from ncodec.api.settings import (
    DecodeSettings,
    DecodeVideoSettings,
    EncodeSettings,
    EncodeVideoSettings,
)
from ncodec.batch.library import suffix_of
from ncodec.batch.manifest import DONE
from ncodec.batch.parts import ClipParts, LadderParts, Parts
from ncodec.batch.product import (
    Product,
    decode_all,
    facts_of_clip,
    facts_of_encoded,
    facts_of_stream,
)
from ncodec.batch.store import Beat
from ncodec.errors import InputError
from ncodec.media.numbered import CLIP_SUFFIXES
from ncodec.media.pictures import PICTURE_SUFFIXES

PICTURE, CLIP = ".nci", ".ncv"
GPU_BACKEND = "torch"


class Task(Protocol):
    """Work on items of some kinds, each on one thread."""

    @property
    def suffixes(self) -> frozenset[str]:
        """Suffixes of its items."""

    @property
    def stated(self) -> dict[str, Any]:
        """Options that decide what outputs hold, for the manifest; raises ModelError."""

    @property
    def uses_gpu(self) -> bool:
        """Whether networks run on a GPU where there is one."""

    @property
    def split(self) -> float | None:
        """Seconds of a clip that are worked on in one job, None for whole clips."""

    def output_of(self, name: str) -> str:
        """Name of an item's output."""

    def parts_of(self, name: str) -> Parts | None:
        """Work on an item in jobs, None for one that is worked on as a whole."""

    def run(self, source: Path, name: str, folder: Path, *, beat: Beat) -> Product:
        """Make the output of the item `name`, of the content of `source`, in an empty folder;
        raises NcodecError."""


@dataclass(frozen=True, kw_only=True)
class EncodeTask:
    """Pictures to .nci and clips to .ncv files."""

    kind: ClassVar[str] = "encode"
    pictures: EncodeSettings | None = field(default_factory=EncodeSettings)
    """None where pictures are to fail"""
    clips: EncodeVideoSettings | None = field(default_factory=EncodeVideoSettings)
    """None where clips are to fail"""
    measured: float = 0.0
    """share of the items whose PSNR is measured, 0 to 1, chosen by their names"""
    verify: bool = False
    """decode every output again"""
    split: float | None = None
    """seconds of the parts that clips are cut into, which are jobs; None for whole clips"""

    def __post_init__(self) -> None:
        if self.split is not None and self.clips is not None:
            check_parts(self.split, self.clips)
        if not 0 <= self.measured <= 1:
            msg = f"expected a share of 0 to 1 to measure, got {self.measured:g}"
            raise InputError(msg)

    @property
    def suffixes(self) -> frozenset[str]:
        """Suffixes of pictures and clips."""
        return PICTURE_SUFFIXES | CLIP_SUFFIXES

    @property
    def stated(self) -> dict[str, Any]:
        """Settings that decide what outputs hold, and ids of models, by which the manifest tells
        tasks apart."""
        return {
            "do": self.kind,
            "picture_model": model_id(self.pictures.model_name if self.pictures else None),
            "frame_model": model_id(None, kind="frame"),
            "split": self.split,
            **_settings("picture", self.pictures),
            **_settings("clip", self.clips),
        }

    @property
    def uses_gpu(self) -> bool:
        """Whether a backend is PyTorch."""
        return GPU_BACKEND in {own.backend for own in (self.pictures, self.clips) if own}

    def output_of(self, name: str) -> str:
        """The name with .nci or .ncv in place of its suffix."""
        return _named(name, CLIP if suffix_of(name) in CLIP_SUFFIXES else PICTURE)

    def parts_of(self, name: str) -> Parts | None:
        """Parts of a clip, if clips are cut."""
        if self.split is None or self.clips is None or suffix_of(name) not in CLIP_SUFFIXES:
            return None
        return ClipParts(
            settings=replace(self.clips, threads=1),
            seconds=self.split,
            measure=_chance(name) < self.measured,
            verify=self.verify,
        )

    def run(self, source: Path, name: str, folder: Path, *, beat: Beat) -> Product:
        """Encode an item; a clip that is damaged is encoded as far as it can be read."""
        measure = _chance(name) < self.measured
        path = folder / PurePosixPath(self.output_of(name)).name
        if suffix_of(name) in CLIP_SUFFIXES:
            return self._encode_clip(source, path, measure=measure, beat=beat)
        if self.pictures is None:
            msg = f"{source}: is a picture, which has no --bitrate"
            raise InputError(msg)
        stats = encode_file(
            source,
            path,
            replace(self.pictures, threads=1),
            measure=measure,
            progress=lambda done, total: beat(),
        )
        if self.verify:
            decode_array(path, threads=1, allow_large=self.pictures.allow_large)
        facts = {
            "width": stats.width,
            "height": stats.height,
            "bpp": stats.bpp,
            "psnr": None if stats.psnr == math.inf else stats.psnr,
            "model": info(path).model,
            "verified": self.verify,
            "notices": stats.notices,
        }
        return Product(path, {"state": DONE, **facts})

    def _encode_clip(self, source: Path, path: Path, *, measure: bool, beat: Beat) -> Product:
        if self.clips is None:
            msg = f"{source}: is a clip, which has no --lossless, --bpp or --psnr"
            raise InputError(msg)
        settings = replace(self.clips, threads=1)
        stats = encode_video(
            source, path, settings=settings, measure=measure, progress=lambda *found: beat()
        )
        if self.verify:
            decode_all(path, beat=beat)
        return Product(path, facts_of_encoded(stats, path, verified=self.verify))


@dataclass(frozen=True, kw_only=True)
class DecodeTask:
    """.nci files to pictures, and .ncv files to clips."""

    kind: ClassVar[str] = "decode"
    split: ClassVar[float | None] = None
    pictures: DecodeSettings = field(default_factory=DecodeSettings)
    clips: DecodeVideoSettings = field(default_factory=DecodeVideoSettings)
    picture_suffix: str = ".png"
    clip_suffix: str = ".mp4"
    lossless: bool = False
    """of clips: keep every pixel"""

    @property
    def suffixes(self) -> frozenset[str]:
        """.nci and .ncv."""
        return frozenset({PICTURE, CLIP})

    @property
    def stated(self) -> dict[str, Any]:
        """Settings that decide what outputs hold, by which the manifest tells tasks apart."""
        return {
            "do": self.kind,
            "picture_suffix": self.picture_suffix,
            "clip_suffix": self.clip_suffix,
            "lossless": self.lossless,
            **_settings("picture", self.pictures),
            **_settings("clip", self.clips),
        }

    @property
    def uses_gpu(self) -> bool:
        """Whether a backend is PyTorch."""
        return GPU_BACKEND in (self.pictures.backend, self.clips.backend)

    def output_of(self, name: str) -> str:
        """The name with the suffix of the format in place of its own."""
        return _named(name, self.clip_suffix if suffix_of(name) == CLIP else self.picture_suffix)

    def parts_of(self, name: str) -> None:
        """None: items are decoded as a whole."""

    def run(self, source: Path, name: str, folder: Path, *, beat: Beat) -> Product:
        """Decode an item; a clip that is cut is decoded up to the cut."""
        path = folder / PurePosixPath(self.output_of(name)).name
        if suffix_of(name) == CLIP:
            stats = decode_video(
                source,
                path,
                suffix=self.clip_suffix,
                lossless=self.lossless,
                settings=replace(self.clips, threads=1),
                progress=lambda *found: beat(),
            )
            return Product(path, facts_of_clip(stats))
        settings = replace(self.pictures, threads=1)
        found = decode_file(source, path, settings, suffix=self.picture_suffix)
        facts = {"width": found.width, "height": found.height, "notices": found.notices}
        return Product(path, {"state": DONE, **facts, "model": info(source).model})


@dataclass(frozen=True, kw_only=True)
class StreamTask:
    """Clips to folders of ladders, as `ncodec stream` makes them."""

    kind: ClassVar[str] = "stream"
    uses_gpu: ClassVar[bool] = False
    settings: StreamSettings = field(default_factory=StreamSettings)
    split: float | None = None
    """seconds of the segments that are coded in one job; None for whole clips. Outputs are alike"""

    def __post_init__(self) -> None:
        if self.split is not None and not (math.isfinite(self.split) and self.split > 0):
            msg = f"expected jobs of more than 0 seconds, got {self.split:g}"
            raise InputError(msg)

    @property
    def suffixes(self) -> frozenset[str]:
        """Suffixes of clips."""
        return CLIP_SUFFIXES

    @property
    def stated(self) -> dict[str, Any]:
        """Settings of the ladder."""
        values = asdict(self.settings)
        del values["jobs"]
        return {"do": self.kind, **{name: _plain(value) for name, value in values.items()}}

    def output_of(self, name: str) -> str:
        """The name without its suffix: a folder."""
        return _named(name, "")

    def parts_of(self, name: str) -> Parts | None:
        """Segments of a clip, if clips are cut."""
        if self.split is None:
            return None
        count = max(1, round(self.split / self.settings.segment))
        return LadderParts(settings=replace(self.settings, jobs=1), count=count)

    def run(self, source: Path, name: str, folder: Path, *, beat: Beat) -> Product:
        """Make the ladder of a clip; one that is damaged is streamed as far as it can be read."""
        path = folder / PurePosixPath(self.output_of(name)).name
        stats = stream(
            source,
            path,
            settings=replace(self.settings, jobs=1),
            progress=lambda stage, done, total: beat(),
        )
        return Product(path, facts_of_stream(stats))


@dataclass(frozen=True, kw_only=True)
class CopyTask:
    """Pictures as they are, once it is clear that they can be read: for shards to train on."""

    kind: ClassVar[str] = "copy"
    uses_gpu: ClassVar[bool] = False
    split: ClassVar[float | None] = None

    @property
    def suffixes(self) -> frozenset[str]:
        """Suffixes of pictures."""
        return PICTURE_SUFFIXES

    @property
    def stated(self) -> dict[str, Any]:
        """No more than its kind."""
        return {"do": self.kind}

    def output_of(self, name: str) -> str:
        """The name."""
        return name

    def parts_of(self, name: str) -> None:
        """None: items are copied as a whole."""

    def run(self, source: Path, name: str, folder: Path, *, beat: Beat) -> Product:
        """Copy a picture that can be read."""
        from ncodec.media.pictures import read_picture

        picture = read_picture(source)
        path = folder / PurePosixPath(name).name
        path.write_bytes(source.read_bytes())
        return Product(path, {"state": DONE, "width": picture.width, "height": picture.height})


def _settings(of: str, settings: Any) -> dict[str, Any]:
    """Fields that decide what an output holds."""
    if settings is None:
        return {}
    values = asdict(settings)
    for name in ("threads", "backend", "model"):
        values.pop(name, None)
    return {f"{of}_{name}": _plain(value) for name, value in values.items()}


def _plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _chance(name: str) -> float:
    """A number of 0 to 1 that a name has for ever."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _named(name: str, suffix: str) -> str:
    own = PurePosixPath(name).suffix
    return name[: len(name) - len(own)] + suffix if own else name + suffix
