"""Names of the files of a stream in its folder."""

from pathlib import Path

PLAN = ".plan.json"
SPOOLED = ".ncodec-source.tmp"
"""a clip from standard input, as long as it is needed"""
TEMPORARY = ".ncodec-*.tmp"
"""pattern of files that are being written"""
RECORD = "stream.json"
MASTER, MANIFEST = "master.m3u8", "manifest.mpd"
MEDIA, KEY_FRAMES = "media.m3u8", "iframes.m3u8"
PAGE, REPORT = "index.html", "report.html"
START = "init.mp4"
FILES = (
    PLAN, TEMPORARY, RECORD, MANIFEST, PAGE, REPORT, "thumbnails.vtt",
    MASTER, "h264.m3u8", "hevc.m3u8", "av1.m3u8", "poster.jpg", "poster.avif", "poster.nci",
    "ncv/clip.ncv", "ncv/index.json", "thumbnails/[0-9]*.jpg",
    f"text/{TEMPORARY}", f"thumbnails/{TEMPORARY}", f"player/{TEMPORARY}", f"ncv/{TEMPORARY}",
    "text/[0-9]*.vtt", "text/[0-9]*.m3u8",
    *(
        f"{place}/{name}"
        for place in (
            "video/h264-[0-9]*p", "video/hevc-[0-9]*p", "video/av1-[0-9]*p",
            "audio/aac-[0-9]*", "audio/opus-[0-9]*",
        )
        for name in (START, MEDIA, KEY_FRAMES, "[0-9][0-9][0-9][0-9][0-9]*.m4s", TEMPORARY)
    ),
    *(
        f"player/{name}"
        for name in (
            "hls.min.js", "hls.LICENSE", "player.css", "player.js", "menu.js", "panel.js"
        )
    ),
)  # fmt: skip
"""patterns of all files of a stream, and of nothing else"""


def segment_name(number: int) -> str:
    """File name of a segment, from 1."""
    return f"{number:05d}.m4s"


def video_folder(folder: Path, name: str) -> Path:
    """Folder of a rendition."""
    return folder / "video" / name


def audio_folder(folder: Path, name: str) -> Path:
    """Folder of a track of sound."""
    return folder / "audio" / name
