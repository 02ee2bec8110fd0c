"""Code here and on emulated ARM, decode each file on both, compare: `check.py [all]`.

Symbols and frames of clips must be equal; pixels of pictures may differ by one level. Emulated are
a CPU with NEON alone and one with all that the emulator knows, SVE among it: ONNX Runtime may
choose other code for each.
"""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from samples import ROOT, write_samples

FOLDER = ROOT / ".arm64" / "checked"
HERE = "here"
QUALITIES = (25, 70)
CPUS = {"neon": "cortex-a72", "sve": "max"}
CODED = "neon"
"""the emulated CPU that also codes"""
LARGEST = {".nci": 1, ".ncv": 0}
"""levels by which values may differ"""


@dataclass(frozen=True)
class Compared:
    """A file decoded on an emulated CPU, against this machine."""

    name: str
    machine: str
    bytes: int
    symbols: int
    symbols_differing: int
    values: int
    values_differing: int
    largest: int
    seconds: float

    @property
    def holds(self) -> bool:
        return self.symbols_differing == 0 and self.largest <= LARGEST[Path(self.name).suffix]


def run(machine: str, *quality: int) -> subprocess.Popen[str]:
    """Start coding at a quality, or decoding, on a machine."""
    script, folder = Path(__file__).parent / "coding.py", FOLDER
    command = [sys.executable]
    if machine != HERE:
        shutil.copy(script, FOLDER)
        command = emulated(machine)
        script, folder = Path("/checked/coding.py"), Path("/checked")
    arguments = [*command, str(script), str(folder), machine, *map(str, quality)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def emulated(machine: str) -> list[str]:
    return [str(Path(__file__).parent / "emulate.sh"), CPUS[machine]]


def finish(started: subprocess.Popen[str]) -> dict[str, float]:
    """Seconds that each file took."""
    lines, _ = started.communicate()
    if started.returncode:
        sys.exit(f"arm64: coding.py ended with {started.returncode}")
    return {entry["name"]: entry["seconds"] for entry in map(json.loads, lines.splitlines())}


def compare(name: str, machine: str, seconds: float) -> Compared:
    with (
        np.load(FOLDER / "decoded" / HERE / f"{name}.npz") as meant,
        np.load(FOLDER / "decoded" / machine / f"{name}.npz") as read,
    ):
        symbols, values = meant["symbols"], meant["values"].astype(np.int16)
        if read["symbols"].shape != symbols.shape or read["values"].shape != values.shape:
            sys.exit(f"arm64: {name} decodes to other numbers of symbols or values on {machine}")
        difference = np.abs(read["values"] - values)
        return Compared(
            name,
            machine,
            (FOLDER / "coded" / name).stat().st_size,
            symbols.size,
            int((read["symbols"] != symbols).sum()),
            values.size,
            int((difference > 0).sum()),
            int(difference.max()),
            seconds,
        )


def check_commands(names: list[str]) -> bool:
    """Whether the installed command verifies every file on ARM, and decodes a clip there to a file
    of video with the same pixels."""
    command = [*emulated(CODED), "/usr/local/bin/ncodec"]
    files = [f"/checked/coded/{name}" for name in names]
    clip, video = f"pan-q{QUALITIES[-1]}-{HERE}.ncv", "pan.mkv"
    for arguments in (
        ["info", "--verify", *files],
        ["decode", "--lossless", f"/checked/coded/{clip}", "-o", f"/checked/{video}"],
    ):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"arm64: ncodec {arguments[0]}: exit {done.returncode}: {done.stderr}")
            return False
    with av.open(str(FOLDER / video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with np.load(FOLDER / "decoded" / HERE / f"{clip}.npz") as meant:
        return bool(np.array_equal(np.stack(frames), meant["values"]))


def show(results: list[Compared]) -> None:
    print(
        f"{'file':28} {'on':5} {'bytes':>8} {'symbols':>11} {'differ':>7} {'values':>12} "
        f"{'differ':>7} {'largest':>7} {'seconds':>8}"
    )
    for r in results:
        print(
            f"{r.name:28} {r.machine:5} {r.bytes:8,} {r.symbols:11,} {r.symbols_differing:7,} "
            f"{r.values:12,} {r.values_differing:7,} {r.largest:7} {r.seconds:8.1f}"
            f"{'' if r.holds else '  FAILED'}"
        )
    for suffix, kind in ((".nci", "pictures"), (".ncv", "clips")):
        for machine in CPUS:
            of = [r for r in results if r.name.endswith(suffix) and r.machine == machine]
            print(
                f"{kind} on {machine}: {sum(r.symbols_differing for r in of)} of "
                f"{sum(r.symbols for r in of):,} symbols differ, "
                f"{sum(r.values_differing for r in of)} of {sum(r.values for r in of):,} values, "
                f"by at most {max(r.largest for r in of)}"
            )


def main() -> None:
    start = time.perf_counter()
    shutil.rmtree(FOLDER, ignore_errors=True)
    for inner in ("samples", "coded", *(f"decoded/{machine}" for machine in (HERE, *CPUS))):
        (FOLDER / inner).mkdir(parents=True)
    write_samples(FOLDER / "samples", every=sys.argv[1:] == ["all"])
    for coding in [run(machine, quality) for machine in (HERE, CODED) for quality in QUALITIES]:
        finish(coding)
    decoding = {machine: run(machine) for machine in (HERE, *CPUS)}
    seconds = {machine: finish(started) for machine, started in decoding.items()}
    names = sorted(seconds[HERE])
    results = [compare(name, machine, seconds[machine][name]) for name in names for machine in CPUS]
    show(results)
    commands = check_commands(names)
    print(f"commands on ARM: {'as here' if commands else 'FAILED'}")
    print(f"{time.perf_counter() - start:.0f} s")
    sys.exit(not (commands and all(result.holds for result in results)))


if __name__ == "__main__":
    main()
