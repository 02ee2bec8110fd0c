"""Notices: sentences that name losses and conversions."""

import warnings
from collections.abc import Iterable

from ncodec.errors import LossError, NcodecWarning


def report_notices(notices: Iterable[str], *, strict: bool, stacklevel: int = 3) -> None:
    """Warn of each notice with `NcodecWarning`, or raise LossError with all of them if `strict`.

    `stacklevel` is that of `warnings.warn`: 3 names the line that called the caller.
    """
    sentences = tuple(dict.fromkeys(notices))
    if strict and sentences:
        msg = f"expected nothing to be lost, got: {'; '.join(sentences)}"
        raise LossError(msg)
    for sentence in sentences:
        warnings.warn(sentence, NcodecWarning, stacklevel=stacklevel)
