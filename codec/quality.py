"""Quality as people name it ↔ qp, the step of quality in a file."""

from ncodec.bitstream import QP_COUNT
from ncodec.errors import InputError

MAX_QUALITY = 100


def quality_to_qp(quality: float) -> int:
    """Quality 0…100 → qp 0…63; raises InputError for another."""
    if not 0 <= quality <= MAX_QUALITY:
        msg = f"expected a quality of 0 to 100, got {quality}"
        raise InputError(msg)
    return round(quality / MAX_QUALITY * (QP_COUNT - 1))


def qp_to_quality(qp: int) -> float:
    """The quality whose qp this is, to a tenth."""
    return round(qp / (QP_COUNT - 1) * MAX_QUALITY, 1)
