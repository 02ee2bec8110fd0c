"""Every target in turn, from the corpus: `make fuzz MINUTES=5`."""

import argparse
import os
import re
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fuzz.targets import TARGETS

HERE = Path(__file__).parent
FINDINGS = HERE.parent.parent / "build" / "fuzz"
"""ignored by Git: new inputs, findings and logs, in a folder for each target"""
LIMITS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=8192")
"""seconds of an input, which may share the processor, and memory; `rule` has the strict limits"""
_EXECUTIONS = re.compile(rb"stat::number_of_executed_units: (\d+)")


@dataclass(frozen=True)
class Outcome:
    """Result of fuzzing a target."""

    executions: int
    seconds: float
    """of the processor"""
    findings: list[Path]


def fuzz(name: str, *, seconds: int) -> Outcome:
    """Fuzz a target for some time, up to its first finding."""
    folder = FINDINGS / name
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    before, start = set(folder.glob("*-*")), _processor_seconds()
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
    findings = sorted(set(folder.glob("*-*")) - before)
    return Outcome(int(executed[1]) if executed else 0, _processor_seconds() - start, findings)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Fuzz every target for an equal share of the time; exit code 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="minutes of all targets together")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    found: list[Path] = []
    for name in names:
        outcome = fuzz(name, seconds=round(60 * arguments.minutes / len(names)))
        found += outcome.findings
        print(
            f"{name:10} {outcome.executions:9,} executions, {outcome.seconds:5.0f} s of the "
            f"processor, {len(outcome.findings)} findings",
            flush=True,
        )
        if not outcome.executions:
            sys.exit(f"{name} did not run: see {FINDINGS / name / 'log'}")
    for path in found:
        print(path)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
