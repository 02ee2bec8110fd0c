"""Whether a picture comes back as good as every quality promises, never worse at a higher one, and
small enough."""

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from PIL import Image

from ncodec.api.codecs import open_codec
from ncodec.api.pictures import encode_picture, load_picture
from ncodec.api.settings import EncodeSettings
from ncodec.eval.measure import run_in_pool
from ncodec.hidden import visible_psnr
from ncodec.media.exif import stripped
from ncodec.picture import EXACT_PSNR, Picture
from ncodec.quality import quality_to_qp

QUALITIES = tuple(range(0, 101, 10))
MIDDLE = 50
LARGEST_FALL = 0.2
"""dB by which a picture may be worse than at the quality before"""
LARGEST_SHARE, SPARE_BYTES = 1.02, 64
"""size limit: this ratio of lossless WebP's bytes, plus these bytes"""


@dataclass(frozen=True)
class Trial:
    """A picture coded at one quality."""

    quality: int
    size: int
    """bytes"""
    psnr: float
    """dB, over pixels that are not transparent; at most `EXACT_PSNR`"""
    promised: float
    """dB, the floor of the model at this quality"""
    exact: float
    """share of exact cells"""
    encode_s: float


@dataclass(frozen=True)
class Checked:
    """A picture coded at all qualities with one effort."""

    name: str
    effort: int
    pixels: int
    lossless: int
    """bytes of a lossless file"""
    webp: int
    """bytes of lossless WebP"""
    png: int
    """bytes of an optimized PNG"""
    trials: tuple[Trial, ...]

    @property
    def kind(self) -> str:
        """Motif of the picture: the first word of its name."""
        return self.name.partition("-")[0].partition(".")[0]

    def broken(self) -> Iterator[str]:
        """A sentence for every promise that does not hold."""
        limit = LARGEST_SHARE * self.webp + SPARE_BYTES
        for trial in self.trials:
            if trial.psnr < trial.promised:
                least = f"expected at least {trial.promised:.2f} dB"
                yield f"quality {trial.quality}: {least}, got {trial.psnr:.2f}"
            if trial.size > limit:
                most = f"expected at most {limit:.0f} bytes"
                yield f"quality {trial.quality}: {most}, got {trial.size}"
        for below, above in pairwise(self.trials):
            if above.psnr < below.psnr - LARGEST_FALL:
                fall = f"{above.psnr:.2f} dB, after {below.psnr:.2f} at {below.quality}"
                yield f"quality {above.quality}: {fall}"


def check_picture(path: Path, effort: int, qualities: Sequence[int] = QUALITIES) -> Checked:
    """Encode and decode one picture at ascending qualities, 0 to 100, with one thread and an
    effort, 0 to 9.

    Metadata is left out, but for the orientation. Also measured are the bytes of a lossless ncodec
    file, a lossless WebP and an optimized PNG. Raises InputError, ModelError or BackendError.
    """
    codec, picture = open_codec(threads=1), stripped(load_picture(path), "metadata")
    picture = replace(picture, icc=None)
    trials = []
    for quality in qualities:
        qp = quality_to_qp(quality)
        start = time.perf_counter()
        encoded = codec.encode(picture, qp=qp, effort=effort)
        seconds = time.perf_counter() - start
        psnr = min(visible_psnr(picture, codec.decode(encoded.data)), EXACT_PSNR)
        trials.append(
            Trial(quality, len(encoded.data), psnr, codec.model.floor(qp), encoded.exact, seconds)
        )
    others = (_size(picture, "WEBP", lossless=True), _size(picture, "PNG", optimize=True))
    lossless = len(encode_picture(picture, EncodeSettings(quality="lossless")).data)
    return Checked(
        path.name, effort, picture.width * picture.height, lossless, *others, tuple(trials)
    )


def check_pictures(
    paths: Sequence[Path], efforts: Sequence[int], *, jobs: int
) -> Iterator[tuple[tuple[Path, int], Checked | str]]:
    """Each picture and effort with its result, or with the sentence of its failure, as they are
    done."""
    yield from run_in_pool(
        check_picture, [(path, effort) for effort in efforts for path in paths], jobs
    )


def _size(picture: Picture, form: str, **options: bool) -> int:
    """Bytes of a picture in a format of Pillow."""
    is_plane = picture.grey and form == "PNG"
    stream, image = (
        io.BytesIO(),
        Image.fromarray(picture.pixels[:, :, 0] if is_plane else picture.pixels),
    )
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    image.save(stream, form, **options)
    return len(stream.getvalue())


def table_of(checked: Sequence[Checked]) -> Iterator[str]:
    """Lines of a table of bytes by kind, the first word of a picture's name, at the middle quality
    and lossless."""
    yield (
        f"{'kind':14}{'pictures':>9}{'effort':>7}{'q 50':>11}{'least dB':>9}"
        f"{'lossless':>11}{'WebP':>11}{'PNG':>11}"
    )
    for kind, effort in sorted({(each.kind, each.effort) for each in checked}):
        alike = [each for each in checked if (each.kind, each.effort) == (kind, effort)]
        middle = [trial for each in alike for trial in each.trials if trial.quality == MIDDLE]
        sizes = (
            sum(trial.size for trial in middle),
            min((trial.psnr for trial in middle), default=0.0),
        )
        others = (
            sum(values)
            for values in zip(
                *((each.lossless, each.webp, each.png) for each in alike), strict=True
            )
        )
        lossless, webp, png = others
        yield (
            f"{kind:14}{len(alike):9}{effort:7}{sizes[0]:11,}{sizes[1]:9.1f}"
            f"{lossless:11,}{webp:11,}{png:11,}"
        )
