"""Every target in turn, from the corpus: `make fuzz MINUTES=5`."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from fuzz.targets import TARGETS

HERE = Path(__file__).parent
FINDINGS = HERE.parent.parent / "build" / "fuzz"
"""ignored by Git: new inputs, findings and logs, in a folder for each target"""
LIMITS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=8192")
"""seconds of an input, which may share the processor, and memory; `rule` has the strict limits"""
_EXECUTIONS = re.compile(rb"stat::number_of_executed_units: (\d+)")


def fuzz(name: str, *, seconds: int) -> tuple[int, list[Path]]:
    """Fuzz a target, which ends with its first finding; its executions and its findings."""
    folder = FINDINGS / name
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    before = set(folder.glob("*-*"))
    known = [HERE / kind / name for kind in ("corpus", "regressions")]
    corpora = [folder / "inputs", *(path for path in known if path.is_dir())]
    command = [
        *(sys.executable, "-m", "fuzz.fuzzer", name, f"-max_total_time={seconds}", *LIMITS),
        *(f"-dict={HERE / 'tokens.dict'}", f"-artifact_prefix={folder}/", "-print_final_stats=1"),
    ]
    with (folder / "log").open("wb") as log:
        subprocess.run(
            [*command, *map(str, corpora)],
            stdout=log,
            stderr=log,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            check=False,
        )
    executed = _EXECUTIONS.search((folder / "log").read_bytes())
    return int(executed[1]) if executed else 0, sorted(set(folder.glob("*-*")) - before)


def main() -> None:
    """Fuzz every target for an equal share of the time; exit code 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="minutes of all targets together")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    found: list[Path] = []
    for name in names:
        executions, findings = fuzz(name, seconds=round(60 * arguments.minutes / len(names)))
        found += findings
        print(f"{name:10} {executions:9,} executions, {len(findings)} findings", flush=True)
        if not executions:
            sys.exit(f"{name} did not run: see {FINDINGS / name / 'log'}")
    for path in found:
        print(path)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
