"""Names of the files of a stream in its folder."""

from pathlib import Path

PLAN = ".plan.json"
SPOOLED = ".source"
"""a clip from standard input, as long as it is needed"""
TEMPORARY = ".ncodec-*.tmp"
"""pattern of files that are being written"""
RECORD = "stream.json"
MASTER, MANIFEST = "master.m3u8", "manifest.mpd"
MEDIA, KEY_FRAMES = "media.m3u8", "iframes.m3u8"
PAGE, REPORT = "index.html", "report.html"
START = "init.mp4"
FOLDERS = ("video", "audio", "text", "thumbnails", "player", "ncv")
FILES = (PLAN, TEMPORARY, RECORD, "*.m3u8", MANIFEST, PAGE, REPORT, "poster.*", "thumbnails.vtt")
"""patterns of the files of a stream that lie in no folder of it"""


def segment_name(number: int) -> str:
    """File name of a segment, from 1."""
    return f"{number:05d}.m4s"


def video_folder(folder: Path, name: str) -> Path:
    """Folder of a rendition."""
    return folder / "video" / name


def audio_folder(folder: Path, name: str) -> Path:
    """Folder of a track of sound."""
    return folder / "audio" / name
