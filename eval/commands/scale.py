"""`ncodec bench scale`: a model of `ncodec batch` on many workers."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ncodec.eval.commands.console import (
    FILE_IN,
    NewFile,
    force_option,
    stages,
    usage_errors,
    write_json,
)
from ncodec.eval.scale import (
    Assumptions,
    Figures,
    Items,
    figures_of,
    read_items,
    read_measured,
)
from ncodec.optional import require_modules

if TYPE_CHECKING:
    from ncodec.eval.scale import Outcome

_ITEMS = 1_000_000
_WORKERS = (1, 2, 8, 100, 1000, 10_000)
_COUNT = click.IntRange(1, 100_000)
_HELP = {
    "workers_per_machine": "Workers of a machine, one for each core.",
    "shared": (
        "Factor by which an item's seconds grow where all workers of a machine are coding, as they "
        "share its memory; 1 for none."
    ),
    "worker_start": "Seconds until a process has started and loaded its models.",
    "machine_start": "Seconds until a machine is there, also after a reclaim; 0 for one at hand.",
    "supervisor": "Seconds of the supervisor for each item, one item at a time.",
    "latency": (
        "Seconds of a request to the store; 0 for a local folder, and where the manifest is of a "
        "run with the same store."
    ),
    "reads": "Read requests of an item.",
    "writes": "Write requests of an item.",
    "read_rate": "Read requests a second that the store grants in all; S3: 5500 a prefix.",
    "write_rate": "Write requests a second that the store grants in all; S3: 3500 a prefix.",
    "bandwidth": "Bytes a second of a machine's network, each way, shared by its workers.",
    "reclaims": "Mean number of times that a machine is taken away in an hour, as spot machines.",
    "crashes": "Tries in a million that cost their worker's process.",
    "price": "Money for an hour of a core.",
}
"""texts of the options that are assumptions"""


class _Counts(click.ParamType[tuple[int, ...]]):
    """Numbers of workers with commas between them."""

    name = "counts"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Text such as 1,8,100 → numbers from 1 to 100,000."""
        if isinstance(value, tuple):
            return value
        return tuple(_COUNT(part, param, ctx) for part in str(value).split(","))


class _Run(click.ParamType[tuple[int, Path]]):
    """A number of workers and the file of a run with them."""

    name = "run"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, Path]:
        """Text such as 2=run.json → number and path of a file that exists."""
        count, sign, name = str(value).partition("=")
        if not sign:
            self.fail(f"expected N=FILE, such as 2=run.json, got {value}", param, ctx)
        return _COUNT(count, param, ctx), FILE_IN(name, param, ctx)


def _assumption_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each assumption, with its usual value."""
    usual = asdict(Assumptions())
    for name, text in reversed(_HELP.items()):
        option = click.option(
            f"--{name.replace('_', '-')}",
            type=type(usual[name]),
            default=usual[name],
            show_default=True,
            help=text,
        )
        command = option(command)
    return command


@click.command()
@click.argument("manifests", nargs=-1, required=True, metavar="MANIFEST...", type=FILE_IN)
@click.option(
    "--items",
    "count",
    type=click.IntRange(1, 10_000_000),
    help=f"Items, drawn from those of the manifests.  [default: {_ITEMS}]",
)
@click.option(
    "--workers",
    type=_Counts(),
    metavar="N,N...",
    help=f"Numbers of workers.  [default: {','.join(map(str, _WORKERS))}]",
)
@_assumption_options
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all chance.")
@click.option(
    "--check",
    "runs",
    type=_Run(),
    multiple=True,
    metavar="N=FILE",
    help=(
        "Compare with a real run of the manifest's items on N workers, which ncodec batch --json "
        "printed into FILE; may be given several times."
    ),
)
@click.option("--save", type=NewFile(".json"), help="File of all figures.")
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def scale(
    manifests: tuple[Path, ...],
    count: int | None,
    workers: tuple[int, ...] | None,
    seed: int,
    runs: tuple[tuple[int, Path], ...],
    save: Path | None,
    as_json: bool,
    **values: Any,
) -> None:
    """Model `ncodec batch` on up to thousands of workers: time, rate, waits, losses and cost.

    MANIFEST is the manifest.parquet of a run with --jobs 1 on items like those to come. Their
    seconds, bytes and pixels are drawn at random for --items items. The model lets workers share
    the supervisor, the store, and the network and memory of their machine.
    """
    require_modules("simpy", extra="eval")
    require_modules("pyarrow", extra="batch")
    if runs and (count is not None or workers is not None):
        msg = "--check takes its items and workers from files: --items and --workers have no use"
        raise click.UsageError(msg)
    with usage_errors():
        assumptions = Assumptions(**values)
        measured = read_items(manifests)
        stated = {
            "manifests": [path.name for path in manifests],
            "seed": seed,
            "assumptions": asdict(assumptions),
        }
        if runs:
            found, lines = _checked(measured, assumptions, runs, seed)
        else:
            items = measured.resampled(count or _ITEMS, seed=seed)
            found, lines = _modelled(items, assumptions, workers or _WORKERS, seed)
    document = stated | found
    click.echo(json.dumps(document) if as_json else "\n".join(lines))
    if save is not None:
        write_json(document, save)


def _modelled(
    items: Items, assumptions: Assumptions, workers: tuple[int, ...], seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Figures for numbers of workers, as JSON and in lines."""
    outcomes = _outcomes(items, assumptions, {1, *workers}, seed)
    found = [
        figures_of(outcomes[n], single=outcomes[1], items=items, assumptions=assumptions)
        for n in workers
    ]
    lines = [
        f"{len(items):,} items; MP: megapixels, cost: of a million of them; busy to idle: parts of "
        f"the workers' time, starts are idle; again: items that were lost, and lost s on them",
        *_table(found),
    ]
    if assumptions.reclaims:
        lines += _reclaims_table(found)
    lines += [
        f"{one.workers} workers: {one.failed} items crashed twice and were given up"
        for one in found
        if one.failed
    ]
    return {"items": len(items), "runs": [asdict(one) for one in found]}, lines


def _checked(
    items: Items, assumptions: Assumptions, runs: tuple[tuple[int, Path], ...], seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Wall seconds of real runs beside those of the model, as JSON and in lines."""
    measured = [(n, read_measured(path, items=len(items))) for n, path in runs]
    outcomes = _outcomes(items, assumptions, {n for n, _ in runs}, seed)
    found = [
        {
            "workers": n,
            "measured_s": seconds,
            "simulated_s": outcomes[n].wall_s,
            "ratio": outcomes[n].wall_s / seconds,
        }
        for n, seconds in measured
    ]
    head = f"{'workers':>7} {'measured s':>12} {'simulated s':>12} {'ratio':>6}"
    lines = [f"{len(items):,} items", head]
    lines += [
        f"{n:7} {seconds:12.1f} {outcomes[n].wall_s:12.1f} {outcomes[n].wall_s / seconds:6.3f}"
        for n, seconds in measured
    ]
    return {"items": len(items), "checks": found}, lines


def _outcomes(
    items: Items, assumptions: Assumptions, counts: set[int], seed: int
) -> "dict[int, Outcome]":
    """Outcomes of the model, by the number of workers."""
    from ncodec.eval.scale_model import simulate

    found = {}
    with stages() as progress:
        advance = progress("simulate", len(counts))
        for count in sorted(counts):
            found[count] = simulate(items, assumptions, workers=count, seed=seed)
            advance(1)
    return found


def _table(found: list[Figures]) -> list[str]:
    """Lines of the main table, with shares of the workers' time."""
    head = (
        f"{'workers':>7} {'wall s':>11} {'items/s':>9} {'MP/s':>9} {'speed-up':>9} {'effic':>6} "
        f"{'busy':>6} {'superv':>6} {'store':>6} {'netw':>6} {'idle':>6} {'again':>7} "
        f"{'lost s':>9} {'core-h':>9} {'cost':>9}"
    )
    return [head, *map(_line, found)]


def _line(one: Figures) -> str:
    shares = (one.efficiency, one.busy, one.supervisor, one.store, one.network, one.idle)
    cost = "–" if one.cost is None else f"{one.cost:.2f}"
    return (
        f"{one.workers:7} {one.wall_s:11.1f} {one.items_per_s:9.1f} {one.megapixels_per_s:9.1f} "
        f"{one.speedup:9.1f} {' '.join(f'{share:6.1%}' for share in shares)} "
        f"{one.reclaimed + one.crashed:7} {one.lost_s:9.1f} {one.core_hours:9.2f} {cost:>9}"
    )


def _reclaims_table(found: list[Figures]) -> list[str]:
    """Lines of what reclaims cost, by the model and by arithmetic."""
    head = (
        f"{'workers':>7} {'reclaims':>9} {'none':>6} {'lost':>9} {'expected':>9} {'lost s':>11} "
        f"{'expected':>11} {'lost/h':>9} {'lost s/h':>11}"
    )
    return [
        "reclaims, and the chance of none; items and worker-seconds lost by them, as expected, and "
        "in an hour with all at work",
        head,
        *(
            f"{one.workers:7} {one.reclaims:9} {one.no_reclaim:6.1%} {one.reclaimed:9} "
            f"{one.expected_reclaimed:9.1f} {one.reclaimed_s:11.1f} "
            f"{one.expected_reclaimed_s:11.1f} {one.hourly_reclaimed:9.1f} "
            f"{one.hourly_reclaimed_s:11.1f}"
            for one in found
        ),
    ]
