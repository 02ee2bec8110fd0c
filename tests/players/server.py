"""Server of folders over HTTP: ranges, media types of streams, and a link that can be throttled."""

import os
import re
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import unquote, urlsplit

TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".mp4": "video/mp4",
    ".m4s": "video/iso.segment",
    ".vtt": "text/vtt; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".avif": "image/avif",
    ".svg": "image/svg+xml",
}
MEDIA = ".m4s", ".mp4"
"""suffixes of what a throttled link slows down; players themselves come at full speed"""
_CHUNK = 4096
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Link:
    """Line that all media share; `rate` in bytes a second may change at any time."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._free = 0.0
        self._lock = threading.Lock()

    def send(self, data: BinaryIO, out: BinaryIO, count: int) -> None:
        """Copy so many bytes, no faster than the line."""
        while count > 0 and (chunk := data.read(min(count, _CHUNK))):
            count -= len(chunk)
            self._wait(len(chunk))
            out.write(chunk)

    def _wait(self, size: int) -> None:
        rate = self.rate
        if rate is None:
            return
        # The pause is taken outside of the lock, so that answers share the line in turns.
        with self._lock:
            self._free = max(self._free, time.monotonic()) + size / rate
            pause = self._free - time.monotonic()
        time.sleep(max(pause, 0))


class Server(ThreadingHTTPServer):
    """Server on a free port of the loopback; the first part of a path names one of its folders.

    The folder of the empty name takes every other path.
    """

    daemon_threads = True

    def __init__(self, folders: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders = folders
        self.link = Link()
        self.asked: list[str] = []
        """paths of all requests, in their order"""
        self.missing: list[str] = []
        """paths that were not found"""

    @property
    def address(self) -> str:
        """URL of the server, without a slash at its end."""
        return f"http://127.0.0.1:{self.server_port}"

    def path_of(self, url: str) -> Path:
        """Path of the file that a URL names; it need not exist."""
        path = unquote(urlsplit(url).path).lstrip("/")
        first, _, rest = path.partition("/")
        base, inner = (self.folders[first], rest) if first in self.folders else (None, path)
        folder = (base or self.folders.get("", Path(os.devnull))).resolve()
        found = (folder / inner).resolve()
        if found != folder and folder not in found.parents:
            return Path(os.devnull) / "outside"
        return found / "index.html" if found.is_dir() else found

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests read `asked` instead."""

    def _answer(self, *, body: bool) -> None:
        name = urlsplit(self.path).path
        self.server.asked.append(name)
        path = self.server.path_of(self.path)
        if not path.is_file():
            self.server.missing.append(name)
            self.send_response(HTTPStatus.NOT_FOUND)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = path.stat().st_size
        start, stop = self._range(size)
        if start >= stop and size:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        partial = (start, stop) != (0, size)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Content-Type", TYPES.get(path.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "no-store")  # else a second test measures the cache
        self.end_headers()
        if body:
            self._send(path, start, stop)

    def _range(self, size: int) -> tuple[int, int]:
        found = _RANGE.fullmatch(self.headers.get("Range", ""))
        if not found or found.groups() == ("", ""):
            return 0, size
        first, last = found.groups()
        if not first:
            return max(size - int(last), 0), size
        return int(first), min(int(last) + 1, size) if last else size

    def _send(self, path: Path, start: int, stop: int) -> None:
        link = self.server.link if path.suffix in MEDIA else Link()
        with path.open("rb") as stream:
            stream.seek(start)
            try:
                link.send(stream, self.wfile, stop - start)
            except (BrokenPipeError, ConnectionResetError):  # players drop what they need no more
                self.close_connection = True
