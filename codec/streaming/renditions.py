"""Renditions of a ladder: a codec, a size and a rate each."""

from dataclasses import dataclass
from fractions import Fraction

from ncodec.container.records import Colour
from ncodec.errors import InputError
from ncodec.media.scaling import FrameSize

CODECS = ("h264", "hevc", "av1")
"""codecs of renditions, the most widely played one first"""
CRF_RANGES = {"h264": (8.0, 48.0), "hevc": (8.0, 48.0), "av1": (10.0, 63.0)}
"""codec → least and largest CRF of its encoder that is used"""
SPEEDS = ("fast", "medium", "slow")
_LEAST_TIMESCALE = 10_000
_VARIABLE_TIMESCALE = 90_000
PEAK_RATIO = 2
"""largest bit rate over a second or two, as a multiple of the average that is expected"""


@dataclass(frozen=True)
class VideoForm:
    """Properties that all renditions of a clip share."""

    rate: Fraction
    """frames a second, on average"""
    timescale: int
    """units of time in a second"""
    colour: Colour
    mastering: tuple[int, ...] = ()
    """numbers of the mastering display, as `ClipMetadata` has them"""
    light: tuple[int, ...] = ()
    """largest and average light, in cd/m²"""


@dataclass(frozen=True)
class Rendition:
    """A rung of a ladder: how one encoder is set."""

    codec: str
    size: FrameSize
    speed: str = "medium"
    crf: float | None = None
    """constant rate factor; None for a `bitrate`"""
    bitrate: int | None = None
    """bits a second to reach on average, where there is no `crf`"""
    peak: int | None = None
    """largest bits a second that the decoder's buffer model allows"""
    grain: int = 0
    """strength of the film grain that AV1 takes out and puts back, 0 to 50"""
    number: int = 1
    """place in its codec's ladder; the top rung is 1"""

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            msg = f"expected a codec among {', '.join(CODECS)}, got {self.codec!r}"
            raise InputError(msg)
        if (self.crf is None) == (self.bitrate is None):
            msg = "expected either a CRF or a bit rate of a rendition"
            raise InputError(msg)

    @property
    def name(self) -> str:
        """Name of its folder, such as h264-1-1080p."""
        return f"{self.codec}-{self.number}-{min(self.size.width, self.size.height)}p"


def clipped_crf(codec: str, crf: float) -> float:
    """The nearest CRF that is used, a multiple of a quarter."""
    least, most = CRF_RANGES[codec]
    return max(least, min(most, round(crf * 4) / 4))


def timescale_of(rate: Fraction | None) -> int:
    """Units of time in a second in which frames of a constant rate last whole units; 90000 for a
    rate that varies, None."""
    if rate is None:
        return _VARIABLE_TIMESCALE
    return rate.numerator * -(-_LEAST_TIMESCALE // rate.numerator)
