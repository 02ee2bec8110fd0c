"""`ncodec batch`: every item of a library has a row, whatever it is, and nothing is done twice."""

import io
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from PIL import Image
from test_cli import call

import ncodec

FAST = ("-q", "30", "--effort", "0", "--jobs", "1")


@pytest.fixture
def library(folder: Path, photo: npt.NDArray[np.uint8]) -> Path:
    """A folder of five pictures in two folders, and files that are none."""
    place = folder / "library"
    for number, name in enumerate(["a/1.png", "a/2.jpg", "a/2.png", "b/c/3.webp", "4.png"]):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        corner = 16 * number
        Image.fromarray(photo[corner : corner + 64, corner : corner + 80]).save(path)
    (place / "notes.txt").write_text("not a picture")
    return place


def rows(target: Path | str) -> dict[str, dict[str, Any]]:
    table = pq.read_table(Path(target) / "manifest.parquet").to_pylist()
    found = {row["item"]: row for row in table}
    assert len(found) == len(table), "one row an item"
    return found


def files(target: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(target)): path.read_bytes()
        for path in sorted(target.rglob("*"))
        if path.is_file() and path.name != "manifest.parquet"
    }


def test_every_picture_of_a_folder_is_coded_as_encode_does(library: Path) -> None:
    result = call("batch", "library", "out", *FAST)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("library → ")
    assert "5 done  0 skipped  1 other files left out" in result.stdout
    assert set(files(Path("out"))) == {
        "a/1.nci",
        "a/2.jpg.nci",
        "a/2.png.nci",
        "b/c/3.nci",
        "4.nci",
    }
    expected = ncodec.encode(library / "4.png", quality=30, effort=0)
    assert Path("out/4.nci").read_bytes() == expected
    row = rows("out")["4.png"]
    assert (row["state"], row["width"], row["height"]) == ("done", 80, 64)
    assert row["bytes"] == len(expected)
    assert row["bpp"] == pytest.approx(8 * len(expected) / (80 * 64))
    assert row["model"] == ncodec.info(expected).model
    assert row["source_bytes"] == (library / "4.png").stat().st_size


def test_items_that_are_done_are_skipped_and_changed_ones_are_not(library: Path) -> None:
    assert call("batch", "library", "out", *FAST).exit_code == 0
    before = files(Path("out"))
    Path("out/4.nci").write_bytes(b"it is not looked at")
    shutil.copy(library / "a/1.png", library / "b/c/3.webp")
    Image.new("RGB", (64, 64)).save(library / "new.png")
    (library / "a/1.png").touch()
    result = call("batch", "library", "out", *FAST, "--json")
    fields = json.loads(result.stdout)
    assert (fields["done"], fields["skipped"], fields["items"]) == (3, 3, 6)
    after = files(Path("out"))
    assert after["4.nci"] == b"it is not looked at"
    assert after["a/1.nci"] == before["a/1.nci"] == after["b/c/3.nci"]
    assert set(rows("out")) == {"a/1.png", "a/2.jpg", "a/2.png", "b/c/3.webp", "4.png", "new.png"}


def test_other_options_are_refused_before_any_work(library: Path) -> None:
    assert call("batch", "library", "out", *FAST).exit_code == 0
    before = files(Path("out"))
    other = ("-q", "31", *FAST[2:])
    result = call("batch", "library", "out", *other)
    assert result.exit_code == 2
    assert "holds a batch of other options, clip_quality 30.0 where 31.0" in result.stderr
    assert files(Path("out")) == before
    assert (
        call("batch", "library", "out", "--jobs", "1", "-q", "31", "--effort", "0", "-f").exit_code
        == 0
    )
    assert files(Path("out")) != before


def test_a_bad_item_has_a_row_and_ends_nothing(library: Path) -> None:
    (library / "empty.png").touch()
    (library / "junk.jpg").write_bytes(os.urandom(500))
    (library / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(50))
    result = call("batch", "library", "out", *FAST)
    assert result.exit_code == 1
    assert "3 of 8 items failed" in result.stderr
    assert "junk.jpg: not a picture in a format that Pillow reads" in result.stderr
    found = rows("out")
    assert {name for name, row in found.items() if row["state"] == "failed"} == {
        "empty.png", "junk.jpg", "clip.mp4"
    }  # fmt: skip
    assert len(files(Path("out"))) == 5
    again = call("batch", "library", "out", *FAST, "--json")
    assert json.loads(again.stdout)["skipped"] == 5, "what failed is tried again"


def test_outputs_are_verified_and_a_share_is_measured(library: Path) -> None:
    for number in range(20):
        Image.new("RGB", (16, 16), (number, 99, 9)).save(library / f"plain{number}.png")
    result = call("batch", "library", "out", *FAST, "--verify", "--measure", "--sample", "0.3")
    assert result.exit_code == 0
    found = list(rows("out").values())
    assert len(found) == 25
    assert all(row["verified"] for row in found)
    measured = [row for row in found if row["psnr"] is not None]
    assert 1 <= len(measured) <= 18
    assert all(20 < row["psnr"] < 80 for row in measured)


def test_decoding_gives_the_pictures_that_decode_gives(library: Path) -> None:
    assert call("batch", "library", "out", *FAST).exit_code == 0
    result = call("batch", "out", "back", "--do", "decode", "--to", "webp", "--jobs", "1")
    assert result.exit_code == 0, result.stderr
    with Image.open("back/a/1.webp") as picture:
        assert np.array_equal(np.asarray(picture), ncodec.decode_array("out/a/1.nci"))


def pack(shard: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(shard, "w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def members(shard: Path) -> dict[str, bytes]:
    with tarfile.open(shard) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


def test_shards_become_files_or_shards(library: Path) -> None:
    data = {name: (library / name).read_bytes() for name in ("a/1.png", "b/c/3.webp")}
    Path("tars").mkdir()
    pack(Path("tars/x.tar"), {**data, "a/1.json": b"{}", "bad.png": b"?"})
    assert call("batch", "tars", "out", *FAST).exit_code == 1
    assert set(files(Path("out"))) == {"x/a/1.nci", "x/b/c/3.nci"}
    assert set(rows("out")) == {"x.tar/a/1.png", "x.tar/b/c/3.webp", "x.tar/bad.png"}
    assert call("batch", "tars", "packed", *FAST, "--to", "shards").exit_code == 1
    assert members(Path("packed/x.tar")) == {
        "a/1.nci": Path("out/x/a/1.nci").read_bytes(),
        "b/c/3.nci": Path("out/x/b/c/3.nci").read_bytes(),
        "a/1.json": b"{}",
    }
    assert rows("packed")["x.tar/a/1.png"]["output"] == "x.tar/a/1.nci"


def test_a_shard_that_is_done_is_skipped(library: Path) -> None:
    Path("tars").mkdir()
    pack(Path("tars/x.tar"), {"1.png": (library / "a/1.png").read_bytes()})
    pack(Path("tars/shard-000000.tar"), {"2.png": (library / "a/2.png").read_bytes()})
    shutil.copy(library / "4.png", "tars")
    assert call("batch", "tars", "out", *FAST, "--to", "shards").exit_code == 0
    assert set(files(Path("out"))) == {"x.tar", "shard-000000.tar", "shard-000001.tar"}
    Path("out/x.tar").write_bytes(b"it is not looked at")
    Path("tars/shard-000000.tar").touch()
    again = call("batch", "tars", "out", *FAST, "--to", "shards", "--json")
    assert json.loads(again.stdout)["done"] == 1
    assert Path("out/x.tar").read_bytes() == b"it is not looked at"
    assert len(rows("out")) == 3


def test_names_that_lead_out_of_the_target_are_refused(library: Path) -> None:
    Path("tars").mkdir()
    data = (library / "a/1.png").read_bytes()
    pack(Path("tars/x.tar"), {"../../out.png": data, "/abs.png": data, "fine.png": data})
    assert call("batch", "tars", "deep/out", *FAST).exit_code == 1
    found = rows("deep/out")
    assert found["x.tar/../../out.png"]["error"].startswith("expected a name within the target")
    made = {path.as_posix() for path in Path("deep").rglob("*.nci")}
    assert made == {"deep/out/x/fine.nci", "deep/out/x/abs.nci"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_are_escaped(library: Path) -> None:
    raw = os.fsencode(library) + b"/caf\xe9.png"
    shutil.copy(library / "4.png", raw)
    assert call("batch", "library", "out", *FAST).exit_code == 0
    assert rows("out")["caf\\udce9.png"]["output"] == "caf\\udce9.nci"
    again = call("batch", "library", "out", *FAST, "--json")
    assert json.loads(again.stdout)["skipped"] == 6


def test_files_become_shards_to_train_on(library: Path) -> None:
    from ncodec.training.sources import read_sources

    options = ("--do", "copy", "--to", "shards", "--per-shard", "2", "--jobs", "2")
    assert call("batch", "library", "out", *options).exit_code == 0
    assert set(files(Path("out"))) == {f"shard-{n:06d}.tar" for n in range(3)}
    before = files(Path("out"))
    found = dict(read_sources(["out"]))
    pictures = [path for path in library.rglob("*.*") if path.suffix != ".txt"]
    assert sorted(found.values()) == sorted(path.read_bytes() for path in pictures)
    again = call("batch", "library", "out", *options, "--json")
    assert json.loads(again.stdout)["skipped"] == 5
    assert files(Path("out")) == before


def test_a_list_and_a_pattern_name_a_library(library: Path) -> None:
    Path("list.txt").write_text(f"{library / 'a/1.png'}\n\n{library / 'b/c/3.webp'}\n")
    assert call("batch", "@list.txt", "out", *FAST).exit_code == 0
    assert set(files(Path("out"))) == {"a/1.nci", "b/c/3.nci"}
    assert call("batch", "library/a/*.png", "two", *FAST).exit_code == 0
    assert set(files(Path("two"))) == {"1.nci", "2.nci"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "out"), "no such file or folder"),
        (("library/notes.txt", "out"), "expected files that end in"),
        (("@library/4.png", "out"), "expected a list of places"),
        (("nothing://bucket", "out"), "cannot be opened"),
        (("library", "library/4.png"), "cannot be"),
        (("library", "out", "--verify", "--do", "copy"), "--verify and --measure are for"),
        (("library", "out", "--do", "copy", "-q", "3"), "--do copy has no options"),
        (("library", "out", "-o", "x"), "-o has no use"),
        (("library", "out", "-q", "300"), "'-q'"),
        (("library", "out", "--no-such-option"), "No such option"),
        (("-q", "30", "library", "out"), "SRC and DST come before"),
        (("library", "out", "--do", "stream", "--live"), "--live is for"),
        (("library", "out", "--do", "decode", "--at", "3"), "--at is for"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    library: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = call("batch", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not Path("out").exists() or not files(Path("out"))


def test_no_two_items_have_one_output(library: Path) -> None:
    for name in ("5.png", "5.jpg", "5.jpg.webp"):
        shutil.copy(library / "4.png", library / name)
    (library / "x").mkdir()
    shutil.copy(library / "a/1.png", library / "x/1.png")
    pack(library / "x.tar", {"1.png": (library / "a/2.png").read_bytes(), "1.jpg": b"?"})
    with tarfile.open(library / "x.tgz", "w:gz") as archive:
        archive.add(library / "4.png", "1.png")
    assert call("batch", "library", "out", *FAST).exit_code == 1
    outputs = [row["output"] for row in rows("out").values() if row["state"] == "done"]
    assert len(outputs) == len(set(outputs)) == 11
    assert set(outputs) == set(files(Path("out")))


def test_a_member_that_is_done_anew_leaves_its_twin_alone(library: Path) -> None:
    Path("tars").mkdir()
    pack(Path("tars/x.tar"), {"1.png": (library / "a/1.png").read_bytes(), "1.jpg": b"?"})
    assert call("batch", "tars", "out", *FAST).exit_code == 1
    table = pq.read_table("out/manifest.parquet")
    failed = [state == "failed" for state in table["state"].to_pylist()]
    assert sorted(failed) == [False, True]
    picture = Path("out/x/1.nci").read_bytes()
    assert call("batch", "tars", "out", *FAST).exit_code == 1, "what failed is tried again"
    assert Path("out/x/1.nci").read_bytes() == picture
    assert rows("out")["x.tar/1.png"]["output"] == "x/1.nci"


@pytest.mark.parametrize("cut", ["within a member", "between members", "a header"])
@pytest.mark.parametrize("to", [(), ("--to", "shards")])
def test_a_damaged_shard_is_said_and_its_good_members_are_coded(
    library: Path, cut: str, to: tuple[str, ...]
) -> None:
    Path("tars").mkdir()
    names = ("a/1.png", "4.png", "a/2.png")
    pack(Path("tars/x.tar"), {name: (library / name).read_bytes() for name in names})
    with tarfile.open("tars/x.tar") as archive:
        last = archive.getmembers()[2]
    data = bytearray(Path("tars/x.tar").read_bytes())
    if cut == "a header":
        data[last.offset : last.offset + 100] = b"\xff" * 100
    else:
        del data[last.offset if cut == "between members" else last.offset_data + 9 :]
    Path("tars/x.tar").write_bytes(data)
    result = call("batch", "tars", "out", *FAST, *to)
    assert result.exit_code == 1
    found = rows("out")
    assert "x.tar: the shard cannot be read" in found["x.tar"]["error"]
    assert {name for name, row in found.items() if row["state"] == "done"} == {
        "x.tar/a/1.png", "x.tar/4.png"
    }  # fmt: skip
    coded = set(members(Path("out/x.tar"))) if to else set(files(Path("out")))
    assert coded == ({"a/1.nci", "4.nci"} if to else {"x/a/1.nci", "x/4.nci"})


def test_links_within_a_shard_cost_their_own_rows(library: Path) -> None:
    Path("tars").mkdir()
    with tarfile.open("tars/x.tar", "w") as archive:
        for name, target in (("label.txt", "1.png"), ("link.png", "1.png")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
        archive.add(library / "a/1.png", "1.png")
    assert call("batch", "tars", "out", *FAST, "--to", "shards").exit_code == 1
    found = rows("out")
    assert {name: row["state"] for name, row in found.items()} == {
        "x.tar/link.png": "failed", "x.tar/1.png": "done"
    }  # fmt: skip
    assert set(members(Path("out/x.tar"))) == {"1.nci"}


def test_rows_of_items_that_are_gone_go(library: Path) -> None:
    (library / "bad.png").touch()
    assert call("batch", "library", "out", *FAST).exit_code == 1
    (library / "bad.png").unlink()
    (library / "4.png").unlink()
    assert call("batch", "library", "out", *FAST).exit_code == 0
    assert set(rows("out")) == {"a/1.png", "a/2.jpg", "a/2.png", "b/c/3.webp"}


@pytest.mark.skipif(os.name != "posix", reason="other systems refuse such names")
def test_links_and_names_with_colons_are_items(library: Path) -> None:
    (library / "link.png").symlink_to(library / "a/1.png")
    shutil.copy(library / "a/2.png", library / "4.png::b.png")
    assert call("batch", "library", "out", *FAST).exit_code == 0
    expected = ncodec.encode(library / "a/2.png", quality=30, effort=0)
    assert Path("out/4.png::b.nci").read_bytes() == expected
    assert Path("out/link.nci").read_bytes() == Path("out/a/1.nci").read_bytes()


def test_doing_everything_anew_can_be_stopped_and_goes_on(library: Path) -> None:
    from ncodec.batch.run import run_batch
    from ncodec.cli.batch import _task

    assert call("batch", "library", "out", *FAST).exit_code == 0
    task = _task("encode", ("-q", "20", "--effort", "0"), split=None, measured=0, verify=False)

    def stop(state: Any) -> None:
        if state.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch("library", "out", task, jobs=1, overwrite=True, progress=stop)
    summary = run_batch("library", "out", task, jobs=1)
    assert (summary.done, summary.skipped) == (3, 2)


@pytest.mark.parametrize("damage", ["newer", "junk"])
def test_a_manifest_that_cannot_be_used_is_said(library: Path, damage: str) -> None:
    assert call("batch", "library", "out", *FAST).exit_code == 0
    path = Path("out/manifest.parquet")
    if damage == "newer":
        table = pq.read_table(path)
        stated = {**table.schema.metadata, b"ncodec.version": b"2"}
        pq.write_table(table.replace_schema_metadata(stated), path)
    else:
        path.write_bytes(b"junk")
    result = call("batch", "library", "out", *FAST)
    assert result.exit_code == 2
    assert ("of a newer version" if damage == "newer" else "expected a manifest") in result.stderr
    assert call("batch", "library", "out", *FAST, "-f").exit_code == 0


def test_options_of_the_other_kind_fail_its_items(library: Path) -> None:
    """A bit rate says nothing of pictures, and bits a pixel nothing of clips."""
    done = call("batch", "library", "out", "--bitrate", "300k", "--jobs", "1")
    assert done.exit_code == 1
    assert all(
        "is a picture, which has no --bitrate" in row["error"] for row in rows("out").values()
    )
    both = call("batch", "library", "out2", "--bitrate", "300k", "--bpp", "1")
    assert both.exit_code == 2
    assert "--bpp is for pictures and --bitrate for clips: give one" in both.stderr


def test_source_and_target_are_two(library: Path) -> None:
    result = call("batch", "library", "./library/")
    assert result.exit_code == 2
    assert "is source and target" in result.stderr
    assert not (library / "_ncodec").exists()
