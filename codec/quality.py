"""Quality, 0 to 100 for people; QP, 0 to 63 in files; effort, 0 to 9: a higher value is a better
picture. Names of the decoders that make pixels of it."""

from numbers import Integral

from ncodec.errors import InputError
from ncodec.ranges import is_between, name_value

QP_COUNT = 64
MAX_QUALITY = 100
DEFAULT_QUALITY = 50.0
MAX_EFFORT = 9
DEFAULT_EFFORT = 2
"""effort of pictures when none is given: most of RDOQ's gain for a few tenths of a second"""
FULL = "full"
"""name of the decoder that a model is trained with; smaller ones of a model have names of their
own"""
LOSSLESS = "lossless"
"""the quality of a file that gives every pixel back"""


def check_quality(quality: object) -> None:
    """Raise InputError unless the quality is a number of 0 to 100."""
    if not is_between(quality, 0, MAX_QUALITY):
        msg = f"expected a quality of 0 to {MAX_QUALITY}, got {name_value(quality)}"
        raise InputError(msg)


def quality_to_qp(quality: float) -> int:
    """Quality, 0 to 100, → the nearest QP, 0 to 63; raises InputError for another quality."""
    check_quality(quality)
    return round(quality / MAX_QUALITY * (QP_COUNT - 1))


def qp_to_quality(qp: int) -> float:
    """QP, 0 to 63, → its quality, rounded to a tenth."""
    return round(qp / (QP_COUNT - 1) * MAX_QUALITY, 1)


def check_effort(effort: int) -> None:
    """Raise InputError unless the effort is an integer of 0 to 9."""
    if not isinstance(effort, Integral) or effort not in range(MAX_EFFORT + 1):
        msg = f"expected an effort of 0 to {MAX_EFFORT}, got {name_value(effort)}"
        raise InputError(msg)
