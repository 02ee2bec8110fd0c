"""Steps captured in one graph, and their optimizer, learn as those of the trainer do; here without
a GPU."""

import csv
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

pytest.importorskip("pytorch_lightning")

import torch
from tiny import TINY
from torch import nn

from ncodec.errors import InputError, ModelError, TrainingError
from ncodec.networks.blocks import Depthwise, use_shifts
from ncodec.training import options as run_options
from ncodec.training import run
from ncodec.training.checkpoint import load_checkpoint, save_weights
from ncodec.training.cli import train
from ncodec.training.cuda_graph import GraphStep
from ncodec.training.image import ImageTraining
from ncodec.training.optim.soap import Soap
from ncodec.training.optim.stacked_soap import StackedSoap, eigenvectors

Photo = npt.NDArray[np.uint8]
STEPS = 800


class Regression:
    """Two matrices that imitate two others, from inputs whose directions differ in size by a
    thousand."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.teacher = nn.Sequential(nn.Linear(24, 32), nn.GELU(), nn.Linear(32, 8))
        self.network = nn.Sequential(nn.Linear(24, 32), nn.GELU(), nn.Linear(32, 8))
        self.spread = torch.logspace(-2, 1, 24)[:, None] * torch.linalg.qr(torch.randn(24, 24))[0]

    def loss(self) -> torch.Tensor:
        x = torch.randn(128, 24) @ self.spread
        return (self.network(x) - self.teacher(x).detach()).square().mean()

    def weights(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        found = list(self.network.parameters())
        return [p for p in found if p.ndim > 1], [p for p in found if p.ndim == 1]


def rate_at(step: int) -> float:
    return 3e-3 * (1 - step / STEPS)


def learned_stacked(seed: int, *, turning: bool) -> float:
    task = Regression(seed)
    matrices, vectors = task.weights()
    soap = StackedSoap([(p, 1.0, turning) for p in matrices] + [(p, 1.0, False) for p in vectors])
    losses = []
    for step in range(STEPS):
        loss = task.loss()
        found = dict(
            zip(matrices + vectors, torch.autograd.grad(loss, matrices + vectors), strict=True)
        )
        if step == 10:
            soap.begin()
        rate = torch.tensor(rate_at(step) if step > 10 else 0.0)
        soap.update(found, rate=rate, scale=torch.tensor(1.0), keep=torch.tensor(1.0))
        soap.after_step()
        if soap._search is not None:
            soap._search.bases()
        losses.append(loss.item())
    return float(np.mean(losses[-20:]))


def learned_plain(seed: int) -> float:
    task = Regression(seed)
    matrices, vectors = task.weights()
    soap = Soap([{"params": matrices, "max_side": 512}, {"params": vectors, "max_side": 0}])
    losses = []
    for step in range(STEPS):
        soap.param_groups[0]["lr"] = soap.param_groups[1]["lr"] = rate_at(step)
        soap.zero_grad()
        loss = task.loss()
        loss.backward()
        soap.step()
        losses.append(loss.item())
    return float(np.mean(losses[-20:]))


def test_stacks_learn_what_single_matrices_learn_and_bases_help() -> None:
    # Of several runs, because how one ends differs by a third from one kind of processor to
    # another.
    turned, plain, unturned = (
        float(np.exp(np.mean(np.log([learn(seed) for seed in (1, 2, 3)]))))
        for learn in (
            partial(learned_stacked, turning=True),
            learned_plain,
            partial(learned_stacked, turning=False),
        )
    )
    assert turned < 1.5 * plain
    assert turned < 0.8 * unturned


def test_moments_without_full_rank_have_bases_all_the_same() -> None:
    torch.manual_seed(1)
    thin = torch.randn(200, 3)
    moments = torch.stack(
        [thin @ thin.T * 1e-20, torch.zeros(200, 200), torch.full((200, 200), torch.nan)]
    )
    bases = eigenvectors(moments)
    assert bases.found.flatten().tolist() == [True, False, False]
    basis = bases.value[0]
    torch.testing.assert_close(basis.T @ basis, torch.eye(200), atol=1e-3, rtol=0)
    inside = basis[:, :3] @ (basis[:, :3].T @ thin)
    torch.testing.assert_close(inside, thin, atol=1e-2, rtol=0)
    old = torch.full((3, 200, 200), 7.0)
    assert torch.equal(bases.over(old)[1:], old[1:])
    assert torch.equal(bases.over(old)[0], basis)


@pytest.mark.parametrize("kernel", [3, 5])
def test_shifts_are_the_convolution(kernel: int) -> None:
    torch.manual_seed(1)
    convolution, x = Depthwise(6, kernel=kernel), torch.randn(2, 6, 7, 5)
    expected = convolution(x)
    use_shifts(convolution, True)
    torch.testing.assert_close(convolution(x), expected)


@pytest.mark.slow
def test_a_captured_run_learns_and_leaves_a_checkpoint(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ncodec.training.cuda_graph.REPORT_S", 0.0)
    options = run_options.read_options([*TINY, "--optimizer.steps=41", "--optimizer.name=soap"])
    last = run.train_image_with_cuda_graph([pictures], out=tmp_path, options=options)
    with (tmp_path / "log.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["step"]) for row in rows] == [0, 20, 40, 41]
    assert float(rows[0]["loss"]) == 0, "nothing was learned yet"
    assert float(rows[-1]["val/log_loss"]) < float(rows[0]["val/log_loss"])
    model, facts = load_checkpoint(last)
    assert facts["steps"] == 41
    save_weights(model, tmp_path / "start")
    again = run_options.read_options([*TINY, "--optimizer.steps=1", "--optimizer.peak=1e-12"])
    second = run.train_image_with_cuda_graph(
        [pictures], out=tmp_path / "b", options=again, start_from=tmp_path / "start"
    )
    for name, value in load_checkpoint(second)[0].state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name].half().float(), msg=name)


def test_a_step_without_a_finite_gradient_changes_nothing(pictures: Path) -> None:
    module, data = run.prepare([pictures], options=run_options.read_options(TINY))
    module.train()
    step = GraphStep(module, data.batches(0).draw(0), average=0.9, compiled=False)
    step.rate.fill_(1e-3)
    crops, qp = data.batches(0).draw(1)
    for _ in range(3):
        step((crops, qp))
    before = [p.detach().clone() for p in step.parameters]
    moments = [s.square.clone() for s in step.soap.stacks]
    for _ in range(2):
        step((crops, qp * torch.nan))
    assert int(step.skipped) == int(step.failures.longest) == 2
    assert all(torch.equal(b, p) for b, p in zip(before, step.parameters, strict=True))
    assert all(torch.equal(m, s.square) for m, s in zip(moments, step.soap.stacks, strict=True))
    assert int(step.soap.count) == 3
    step((crops, qp))
    assert (int(step.skipped), int(step.failures.now)) == (2, 0)
    assert not all(torch.equal(b, p) for b, p in zip(before, step.parameters, strict=True))


def test_too_many_failures_end_a_run_and_leave_its_weights(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ncodec.training.cuda_graph.WARM_UP", 2)
    inner = ImageTraining.objective
    monkeypatch.setattr(
        ImageTraining, "objective", lambda self, result: inner(self, result) * torch.nan
    )
    options = run_options.read_options([*TINY, "--optimizer.steps=60", "--optimizer.name=soap"])
    with pytest.raises(TrainingError, match="expected finite gradients, got none in"):
        run.train_image_with_cuda_graph([pictures], out=tmp_path, options=options)
    load_checkpoint(tmp_path / "last.ckpt")
    with pytest.raises(ModelError, match="expected a run that can be resumed, got weights alone"):
        run.train_image([pictures], out=tmp_path, options=options, resume=tmp_path / "last.ckpt")


@pytest.mark.parametrize("option", ["--distortion=ms-ssim", "--accelerator=gpu"])
def test_what_cannot_be_captured_is_refused(pictures: Path, tmp_path: Path, option: str) -> None:
    arguments = [*TINY, "--optimizer.name=soap", "--crops.crop=192", option]
    with pytest.raises(InputError, match="for a run with CUDA graphs"):
        run.train_image_with_cuda_graph(
            [pictures], out=tmp_path, options=run_options.read_options(arguments)
        )


def test_captured_runs_are_not_resumed(pictures: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.write_bytes(b"any")
    result = CliRunner().invoke(
        train, ["image", "--data", str(pictures), "--cuda-graph", "--resume", str(checkpoint)]
    )
    assert result.exit_code == 2
    assert "--cuda-graph and --resume do not go together" in result.output


@pytest.mark.parametrize("option", ["--optimizer.name=adamw", "--devices=2"])
def test_other_ways_are_refused(pictures: Path, tmp_path: Path, option: str) -> None:
    with pytest.raises(InputError, match="expected one device and the optimizer soap"):
        run.train_image_with_cuda_graph(
            [pictures], out=tmp_path, options=run_options.read_options([*TINY, option])
        )
