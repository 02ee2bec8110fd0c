"""Options of a training run that takes seconds, and its curve."""

import csv
from pathlib import Path

TINY = [
    "--model.latent=48",
    "--model.hyper=8",
    "--model.encoder_width=16",
    "--model.encoder_depth=1",
    "--model.entropy_width=16",
    "--model.hyper_width=16",
    "--model.body_width=16",
    "--model.body_depth=1",
    "--model.lambda_min=6e-4",
    "--model.lambda_max=0.25",
    "--model.render_width=8",
    "--model.render_depth=1",
    "--crops.crop=64",
    "--crops.batch=4",
    "--crops.held_out=1",
    "--validate_every=10",
    "--accelerator=cpu",
    "--optimizer.peak=2e-3",
    "--optimizer.warmup=0.2",
]


def log_losses(out: Path) -> list[float]:
    """The held-out loss at every validation of every run that logged into a folder."""
    return logged(out, "val/log_loss")


def logged(out: Path, column: str) -> list[float]:
    """A column of what every run logged into a folder."""
    rows = []
    for path in sorted((out / "csv").rglob("metrics.csv")):
        with path.open(encoding="utf-8") as stream:
            rows += [float(row[column]) for row in csv.DictReader(stream) if row.get(column)]
    return rows
