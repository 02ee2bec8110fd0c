"""Bench of players: what a player does with a stream in a browser, as figures."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from players.browsers import Browser
from players.server import Server

HERE = Path(__file__).parent
PLAYERS = "hls.js", "dash.js", "shaka"
PREFIXES = {"h264": "avc1", "hevc": "hvc1", "av1": "av01"}
"""first letters of RFC 6381's names"""
_POLL_S = 0.2


@dataclass(frozen=True)
class Level:
    """Rung as a player lists it."""

    height: int
    rate: float
    """bit/s that the manifest claims"""
    codec: str


@dataclass(frozen=True)
class Played:
    """State of a player, from the start to now."""

    version: str
    time: float
    duration: float
    ended: bool
    errors: list[str]
    """what stops a player"""
    warnings: list[str]
    """what a player mends itself"""
    stalls: int
    levels: list[Level]
    """from the lowest to the highest"""
    height: int
    heights: list[int]
    """of pictures shown, at each change"""
    switches: list[dict[str, float]]
    """`at` seconds, to `height`, as the player says"""
    buffered: list[list[float]]
    decoded: int
    dropped: int

    @property
    def shown(self) -> int:
        """Frames decoded and not dropped."""
        return self.decoded - self.dropped

    @classmethod
    def read(cls, state: dict[str, Any]) -> Self:
        """State as the page gives it."""
        levels = [
            Level(level["height"], level["rate"], level["codec"]) for level in state["levels"]
        ]
        return cls(**{**state, "levels": levels})


class Bench:
    """A player on the page of the bench; `folder` holds the stream."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self.browser = browser
        self.server = server

    def start(
        self, player: str, manifest: str, *, codec: str = "", estimate: int = 0, buffer: float = 4
    ) -> None:
        """Load a manifest and play it, muted.

        `codec` chooses in manifests of several; `estimate` is the bandwidth in bit/s that the
        player is to believe in at first, `buffer` the seconds that it loads ahead.
        """
        self.server.asked.clear()
        self.server.missing.clear()
        query = {
            "player": player,
            "manifest": f"{self.server.address}/stream/{manifest}",
            "codec": PREFIXES.get(codec, ""),
            "estimate": estimate,
            "buffer": buffer,
        }
        self.browser.open(f"{self.server.address}/players/bench.html?{urlencode(query)}")

    def state(self) -> Played:
        """State now."""
        return Played.read(self.browser.run("bench.state()"))

    def force(self, level: int) -> None:
        """Switch to a level, counted from the lowest, and stay there."""
        self.browser.run(f"bench.force({level})")

    def until(self, what: str, *, timeout_s: float) -> Played:
        """State as soon as an expression over `state` and `video` holds, or an error came.

        Raises TimeoutError.
        """
        condition = f"(state => state.errors.length > 0 || ({what}))(bench.state())"
        end = time.monotonic() + timeout_s
        while not self.browser.run(condition):
            if time.monotonic() > end:
                message = f"expected {what} within {timeout_s} s, got {self.state()}"
                raise TimeoutError(message)
            time.sleep(_POLL_S)
        return self.state()

    def to_end(self, *, timeout_s: float = 45) -> Played:
        """State at the end of the stream."""
        return self.until("state.ended", timeout_s=timeout_s)


def folders(stream: Path) -> dict[str, Path]:
    """Folders of a server for the bench."""
    return {"stream": stream, "players": HERE}
