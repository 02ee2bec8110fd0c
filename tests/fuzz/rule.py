"""The rule of decoders: an input decodes or raises NcodecError, in little time and memory."""

import re
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from ncodec.errors import NcodecError

Target = Callable[[bytes], None]
MOST_SECONDS = 1.0
"""of processor time, of an input of at most `SMALL` bytes"""
MOST_MEMORY = 256 * 2**20
"""bytes beside the most that earlier inputs took"""
SMALL = 2**16
_STATUS = Path("/proc/self/status")
"""Linux's account of the process alone; its `ru_maxrss` begins with the peak of the parent"""
_UNIT = 1 if sys.platform == "darwin" else 1024
"""bytes of a unit of `ru_maxrss`"""


class RuleError(Exception):
    """A decoder took too long or too much memory."""


def hold(target: Target, data: bytes) -> bool:
    """Run a target on an input and return whether it was decoded.

    False where it raised NcodecError; other exceptions pass. Raises RuleError beyond the limits of
    time and memory, RuntimeWarning where arithmetic overflows.
    """
    start, peak = time.process_time(), _peak()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        try:
            target(data)
            decoded = True
        except NcodecError:
            decoded = False
    seconds, grown = time.process_time() - start, _peak() - peak
    if seconds > MOST_SECONDS or grown > MOST_MEMORY:
        msg = f"{len(data)} bytes took {seconds:.2f} s and {grown / 2**20:.0f} MB"
        raise RuleError(msg)
    return decoded


def _peak() -> int:
    """Most memory of the process so far, in bytes."""
    found = re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text()) if _STATUS.exists() else None
    if found:
        return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
