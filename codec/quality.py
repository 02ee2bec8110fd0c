"""Quality, 0 to 100 for people, and QP, 0 to 63 in files; a higher value of either is a better picture."""

from ncodec.errors import InputError

QP_COUNT = 64
MAX_QUALITY = 100
DEFAULT_QUALITY = 50.0


def quality_to_qp(quality: float) -> int:
    """Quality, 0 to 100, → the nearest QP, 0 to 63; raises InputError for another quality."""
    if not 0 <= quality <= MAX_QUALITY:
        msg = f"expected a quality of 0 to 100, got {quality}"
        raise InputError(msg)
    return round(quality / MAX_QUALITY * (QP_COUNT - 1))


def qp_to_quality(qp: int) -> float:
    """QP, 0 to 63, → its quality, rounded to a tenth."""
    return round(qp / (QP_COUNT - 1) * MAX_QUALITY, 1)
