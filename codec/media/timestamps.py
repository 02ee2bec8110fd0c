"""Time stamps of containers → time stamps of streams."""

from fractions import Fraction

from ncodec.container.records import Media
from ncodec.media.tracks import Packet

JUMP_S = 1
"""seconds by which a clock that is set back differs from one that stumbles"""
FINEST_TIME_BASE = Fraction(1, 100_000)
MPEG_TIME_BASE = Fraction(1, 90_000)
"""the time base in place of any below `FINEST_TIME_BASE`, in whose units hours have more digits
than time stamps"""


class Clock:
    """Last time stamp of a stream, and the offset of later ones after a jump backwards."""

    def __init__(self, time_base: Fraction) -> None:
        self.last: int | None = None
        self._jump = round(JUMP_S / time_base)
        self._offset = 0

    def offset(self, stamp: int, *, following: int) -> int:
        """Offset to add to `stamp` and later time stamps, in units of the time base.

        It is 0 at first, and becomes `following` − `stamp`, so that `stamp` is shown at
        `following`, where a stamp with the offset lies more than a second before `last`.
        """
        if self.last is not None and stamp + self._offset < self.last - self._jump:
            self._offset = following - stamp
        return self._offset


def media_of(packet: Packet, track: int, *, offset: int) -> Media:
    """Packet of FFmpeg → record of track number `track`, its times later by `offset`, in units of
    the track's time base.

    Of decoding and presentation time a missing one takes the value of the other, and both are
    `offset` where both are missing.
    """
    dts = packet.dts if packet.dts is not None else packet.pts or 0
    pts = packet.pts if packet.pts is not None else dts
    return Media(
        track, pts + offset, dts + offset, packet.duration or 0, packet.is_keyframe, bytes(packet)
    )
