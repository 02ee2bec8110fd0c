"""Playlists and the manifest: other programs read them, and they say the same of the same files."""

import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import m3u8.parser
import pytest
from stream_clips import FAST, ffmpeg, picture, plain, tone, with_tracks
from stream_reading import attributes, frames_of, media_folders, playlist

import ncodec
from ncodec.media.ffmpeg_command import run_ffmpeg
from ncodec.streaming.codec_strings import codec_string

mpegdash = pytest.importorskip("mpegdash.parser")

NS = "{urn:mpeg:dash:schema:mpd:2011}"
ORDERS = {
    "MPD": ["ProgramInformation", "BaseURL", "Period"],
    "Period": ["BaseURL", "AdaptationSet"],
    "AdaptationSet": ["AudioChannelConfiguration", "EssentialProperty", "SupplementalProperty",
                      "Label", "Accessibility", "Role", "Rating", "BaseURL", "SegmentTemplate",
                      "Representation"],
    "Representation": ["AudioChannelConfiguration", "EssentialProperty", "SupplementalProperty",
                       "Label", "BaseURL", "SegmentTemplate"],
    "SegmentTemplate": ["SegmentTimeline"],
    "SegmentTimeline": ["S"],
}  # fmt: skip
"""element → elements that it may hold here, in the order of the schema of ISO/IEC 23009-1"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream with two tracks of sound and two of subtitles."""
    folder = tmp_path_factory.mktemp("many")
    ncodec.stream(with_tracks(folder / "clip.mkv"), folder / "stream", **FAST)
    return folder / "stream"


@pytest.fixture(params=["ladder", "many"])
def made(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


def manifest(folder: Path) -> Element:
    return fromstring((folder / "manifest.mpd").read_text("utf-8"))


def representations(folder: Path, kind: str) -> dict[str, Element]:
    return {
        one.attrib["id"]: one
        for own in manifest(folder).iter(f"{NS}AdaptationSet")
        if own.attrib["contentType"] == kind
        for one in own.iter(f"{NS}Representation")
    }


def durations(representation: Element) -> list[float]:
    """Seconds of each segment of a timeline."""
    (template,) = representation.iter(f"{NS}SegmentTemplate")
    return [
        int(entry.attrib["d"]) / int(template.attrib["timescale"])
        for entry in template.iter(f"{NS}S")
        for _ in range(1 + int(entry.attrib.get("r", "0")))
    ]


def test_every_playlist_is_read_strictly(made: Path) -> None:
    paths = sorted(made.rglob("*.m3u8"))
    assert len(paths) >= 5
    for path in paths:
        text = path.read_text("utf-8")
        found = m3u8.parser.parse(text, strict=True)
        assert found["version"] == 7
        assert text.endswith("\n")
        assert not re.search(r"\r|^$\n^#EXTINF", text)
        if not found["is_variant"]:
            assert found["is_endlist"]
            assert found["playlist_type"] == "vod"
            longest = max(entry["duration"] for entry in found["segments"])
            assert round(longest) <= found["targetduration"] <= longest + 1


def test_every_file_of_a_playlist_is_there(made: Path) -> None:
    listed = set()
    for path in made.rglob("*.m3u8"):
        found = playlist(path)
        names = [entry.uri for entry in found.segments]
        names += [one.uri for one in (*found.playlists, *found.iframe_playlists, *found.media)]
        names += [one.uri for one in found.segment_map]
        for name in names:
            assert (path.parent / name).is_file()
            listed.add((path.parent / name).resolve())
    segments = {path.resolve() for path in made.rglob("*.m4s") if "opus" not in str(path)}
    assert segments <= listed, "and every segment is in a playlist"


def test_names_of_tracks_are_unlike_in_their_group(made: Path) -> None:
    media = attributes(made / "master.m3u8", "EXT-X-MEDIA")
    names = Counter((one["GROUP-ID"], one["NAME"]) for one in media)
    assert set(names.values()) <= {1}
    defaults = Counter(one["GROUP-ID"] for one in media if one["DEFAULT"] == "YES")
    assert set(defaults.values()) <= {1}


@pytest.mark.parametrize("tags", [["title=Same", "title=Same"], ["title=Sound 2", "language=eng"]])
def test_tracks_of_one_title_get_two_names(tags: list[str], tmp_path: Path) -> None:
    clip = ffmpeg(
        *picture(1), *tone(1), *tone(1), "-map", "0", "-map", "1", "-map", "2",
        "-metadata:s:a:0", tags[0], "-metadata:s:a:1", tags[1], tmp_path / "clip.mkv",
    )  # fmt: skip
    ncodec.stream(clip, tmp_path / "out", **FAST)
    names = [one["NAME"] for one in attributes(tmp_path / "out" / "master.m3u8", "EXT-X-MEDIA")]
    assert len(set(names)) == len(names) == 2


def test_variants_say_what_they_are(ladder: Path) -> None:
    variants = playlist(ladder / "master.m3u8").playlists
    assert [variant.uri.split("/")[1].split("-")[0] for variant in variants] == [
        "h264", "h264", "hevc", "hevc", "av1", "av1"
    ]  # fmt: skip
    for variant in variants:
        folder = (ladder / variant.uri).parent
        info = variant.stream_info
        assert info.resolution == frames_of(folder)[0].size
        assert info.frame_rate == 25
        assert info.video_range == "SDR"
        assert info.audio == "sound"
        video = codec_string((folder / "init.mp4").read_bytes())
        assert info.codecs == f"{video},mp4a.40.2"


def test_a_stream_without_sound_names_none(tmp_path: Path) -> None:
    ncodec.stream(plain(tmp_path / "clip.mp4", 1), tmp_path / "out", **FAST)
    text = (tmp_path / "out" / "master.m3u8").read_text("utf-8")
    assert "AUDIO" not in text
    assert "mp4a" not in text
    assert not (tmp_path / "out" / "audio").exists()
    assert not representations(tmp_path / "out", "audio")


def test_the_manifest_is_read_by_another_program(made: Path) -> None:
    found = mpegdash.MPEGDASHParser.parse((made / "manifest.mpd").read_text("utf-8"))
    (period,) = found.periods
    video = [one for one in period.adaptation_sets if one.content_type == "video"]
    names = [one.id for own in video for one in own.representations]
    assert sorted(names) == [folder.name for folder in media_folders(made)]
    for own in video:
        assert own.max_width == max(one.width for one in own.representations)
        assert own.segment_alignment
        assert own.start_with_sap == 1


def test_ffmpeg_plays_the_manifest(ladder: Path) -> None:
    text = run_ffmpeg(["-i", ladder / "manifest.mpd", "-map", "0:v:0", "-f", "framehash", "-"])
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    assert len(lines) == 198


def test_elements_lie_in_the_order_of_the_schema(made: Path) -> None:
    for element in manifest(made).iter():
        name = element.tag.removeprefix(NS)
        inner = [part.tag.removeprefix(NS) for part in element]
        order = ORDERS.get(name, [])
        assert set(inner) <= set(order), name
        assert inner == sorted(inner, key=order.index)


def test_durations_are_those_of_the_playlists(made: Path) -> None:
    for kind, place in (("video", "video"), ("audio", "audio")):
        found = representations(made, kind)
        assert found
        for name, one in found.items():
            entries = playlist(made / place / name / "media.m3u8").segments
            assert durations(one) == pytest.approx([e.duration for e in entries], abs=1e-6)
    total = manifest(made).attrib["mediaPresentationDuration"]
    longest = max(
        sum(durations(one))
        for kind in ("video", "audio")
        for one in representations(made, kind).values()
    )
    assert float(total.removeprefix("PT").removesuffix("S")) == pytest.approx(longest, abs=1e-5)


def test_templates_name_the_files(made: Path) -> None:
    for kind in ("video", "audio"):
        for name, one in representations(made, kind).items():
            (template,) = one.iter(f"{NS}SegmentTemplate")
            assert (made / template.attrib["initialization"]).is_file()
            first = int(template.attrib["startNumber"])
            numbers = range(first, first + len(durations(one)))
            paths = [
                made / template.attrib["media"].replace("$Number%05d$", f"{number:05d}")
                for number in numbers
            ]
            assert all(path.is_file() for path in paths), name
            peak = max(
                8 * path.stat().st_size / seconds
                for path, seconds in zip(paths, durations(one), strict=True)
            )
            assert peak <= int(one.attrib["bandwidth"]) <= peak + 1


def test_timelines_of_a_set_begin_and_break_together(ladder: Path) -> None:
    found = {tuple(durations(one)) for one in representations(ladder, "video").values()}
    assert len(found) == 1


def test_tracks_keep_languages_and_titles(many: Path) -> None:
    sound = attributes(many / "master.m3u8", "EXT-X-MEDIA")
    found = [(one["TYPE"], one["NAME"], one["LANGUAGE"]) for one in sound]
    assert [one[:2] for one in found] == [
        ("AUDIO", "Main"), ("AUDIO", "Deutsch"), ("SUBTITLES", "en"),
        ("SUBTITLES", "Le texte"),
    ]  # fmt: skip
    assert [one[2][:2] for one in found] == ["en", "de", "en", "fr"]
    sets = [own.attrib for own in manifest(many).iter(f"{NS}AdaptationSet")]
    texts = [own["lang"][:2] for own in sets if own["contentType"] == "text"]
    assert texts == ["en", "fr"]
    sounds = [own["lang"][:2] for own in sets if own["contentType"] == "audio"]
    assert sounds == ["en", "en", "de", "de"], "in AAC and in Opus"


def test_roles_of_sound_are_main_and_alternate(many: Path) -> None:
    roles = [
        (own.attrib["lang"][:2], role.attrib["value"])
        for own in manifest(many).iter(f"{NS}AdaptationSet")
        if own.attrib["contentType"] == "audio"
        for role in own.iter(f"{NS}Role")
    ]
    assert set(roles) == {("en", "main"), ("de", "alternate")}


def test_ids_of_representations_are_unlike(made: Path) -> None:
    ids: list[Any] = [one.attrib["id"] for one in manifest(made).iter(f"{NS}Representation")]
    assert len(set(ids)) == len(ids)


def test_a_codec_that_is_named_twice_is_made_once(tmp_path: Path) -> None:
    clip = ffmpeg(*picture(1), *tone(1), tmp_path / "clip.mp4")
    twice = {"codecs": ["h264", "h264"], "audio": ["aac", "aac"]}
    ncodec.stream(clip, tmp_path / "out", **{**FAST, **twice})
    ids = [one.attrib["id"] for one in manifest(tmp_path / "out").iter(f"{NS}Representation")]
    assert sorted(ids) == ["aac-1", "h264-1-180p", "thumbnails"]
