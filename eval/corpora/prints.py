"""Pictures that went over paper: screens of dots, and pages out of a scanner."""

from functools import partial

import numpy as np
from PIL import Image, ImageFilter

from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.texture import Field, Size, clouds, picture, portrait_light, rounded, scene
from ncodec.eval.corpora.typeset import column_page

SEED = 41
ANGLES = (15, 75, 0, 45)
"""angles of the screens of cyan, magenta, yellow and black, in degrees"""
PAPER = np.array([0.965, 0.95, 0.915])


def _screen(size: Size, *, angle: float, pitch: float) -> Field:
    """(H, W) thresholds of round dots, `pitch` pixels apart."""
    y, x = np.indices(size[::-1])
    turn = np.deg2rad(angle)
    u = (x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / pitch
    v = (y * np.cos(turn) - x * np.sin(turn)) * 2 * np.pi / pitch
    return np.asarray(0.5 + 0.25 * (np.cos(u) + np.cos(v)))


def dots(size: Size, *, pitch: float) -> Image.Image:
    """Grey: black dots whose size is the darkness, as newspapers print."""
    light = np.asarray(Image.fromarray(scene(size, seed=SEED)).convert("L")) / 255
    edge = (light - _screen(size, angle=45, pitch=pitch)) * pitch + 0.5
    return picture(edge)


def four_inks(size: Size, *, pitch: float) -> Image.Image:
    """RGB: dots of cyan, magenta, yellow and black at their angles."""
    inks = 1 - portrait_light(size, seed=SEED) / 255
    black = inks.min(axis=-1) * 0.8
    light = np.ones((size[1], size[0], 3))
    for i, angle in enumerate(ANGLES):
        amount = black if i == 3 else (inks[..., i] - black) / np.maximum(1 - black, 0.05)
        share = np.clip((amount - _screen(size, angle=angle, pitch=pitch)) * pitch + 0.5, 0, 1)
        absorbed = np.full(3, 0.92) if i == 3 else np.eye(3)[i] * 0.9
        light *= 1 - share[..., None] * absorbed
    return picture(light * PAPER)


def scanned(size: Size, *, tilt: float, blur: float, seed: int) -> Image.Image:
    """RGB: a page of text, tilted by degrees, blurred by pixels, on paper that is not even."""
    page = column_page(size, point=12, columns=1, seed=seed, paper=(255, 255, 255)).convert("L")
    page = page.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=255)
    ink = np.asarray(page.filter(ImageFilter.GaussianBlur(blur)))[..., None] / 255
    rng = np.random.default_rng(seed)
    fibres = 0.04 * (clouds(size, seed=seed, decay=0.9)[..., None] - 0.5)
    shade = 1 - 0.1 * np.linspace(1, 0, size[0])[None, :, None] ** 4
    grain = rng.normal(0, 0.012, (size[1], size[0], 3))
    return Image.fromarray(rounded((ink * 0.88 + 0.12 + fibres) * PAPER * shade + grain))


def photocopied(size: Size, *, seed: int) -> Image.Image:
    """Grey: a hard copy of a scanned page with specks of toner."""
    page = np.asarray(scanned(size, tilt=-0.8, blur=0.5, seed=seed).convert("L")) / 255
    specks = np.random.default_rng(seed + 1).random(page.shape) < 0.0015
    return picture((page - 0.74) * 6 + 0.5 - 0.8 * specks)


def members() -> list[Member]:
    """Half-tones in black and in colour, scans and a photocopy."""
    return [
        Member("dots", "halftone", partial(dots, (300, 200), pitch=5.0)),
        Member("fine-dots", "halftone", partial(dots, (251, 189), pitch=3.2)),
        Member("four-inks", "halftone", partial(four_inks, (290, 210), pitch=6.0)),
        Member("page", "scan", partial(scanned, (390, 300), tilt=0.7, blur=0.6, seed=2)),
        Member("page-worn", "scan", partial(scanned, (333, 259), tilt=-1.6, blur=1.0, seed=4)),
        Member("photocopy", "scan", partial(photocopied, (360, 222), seed=1)),
    ]
