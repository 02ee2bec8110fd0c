"""Sentences to typeset: enough of them that no two pages read alike."""

import numpy as np

SENTENCES = (
    "The river turns twice below the mill before it reaches the plain.",
    "Every lens bends blue light a little more than red, and so edges gain a coloured fringe.",
    "In 1874 the harbour was dredged to nine metres, at a cost of 48,200 pounds.",
    "A bridge that hums in the wind is telling its engineers something.",
    "Most of the letters were never answered; three of them were never opened.",
    "Salt crystals grow as cubes, sugar as slanted prisms, snow as six-sided plates.",
    "Take the second road on the left, past the bakery, and keep to the wall.",
    "Measured twice, the column was 12.37 m tall and leaned by 4 mm.",
    "Nobody could say who had first planted the walnut trees.",
    "The tide tables for August were printed in the wrong order.",
    "If the lamp flickers, check the fuse (5 A) before you open the case.",
    "Ink spreads along the fibres of cheap paper & blurs the finest lines.",
    "Forty-two percent of those who replied had never used the library.",
    "Glass is neither quite a solid nor quite a liquid, said the older textbook.",
    "She kept a notebook of clouds: their names, their hours, their colours.",
    "The index lists \u201cweather\u201d five times and \u201cclimate\u201d only once.",
    "A map is a promise that someone has been there before you.",
    "Quartz clocks lose about half a second a day; pendulums rather more.",
    "What the archive holds of the years 1911 to 1919 fits in a single box.",
    "The orchestra tunes to the oboe, because the oboe cannot tune to anything.",
    "Between the two valleys runs a path that the maps do not show.",
    "Grey paint is rarely grey: look closely and it is blue, or green, or brown.",
    "Trains leave at 07:15, 09:45 and 16:20, except on Sundays.",
    "A good hinge is one that nobody notices for thirty years.",
    "Bees see the ultraviolet marks on petals that look plain to us.",
    "The quick repair held for a decade; the thorough one, for a week.",
    "Copper roofs turn brown within a year and green within twenty.",
    "Jugglers, vexed by zinc-white gloves, quickly fumbled the phials.",
    "No two tide pools on that shore keep the same company.",
    "The oldest part of the house is its chimney, the newest its name.",
)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
NAMES = (
    "Ada Merrow", "Tomas Lindqvist", "Yewande Cole", "Ines Farrow", "Kenji Okabe", "Ruth Halloran",
    "Pavel Dvorak", "Mina Castellan", "Owen Prys", "Leila Haddad", "Greta Vogel", "Samir Naidu",
)  # fmt: skip
TITLES = (
    "On the measuring of rivers", "Notes from a slow harbour", "Why bridges hum",
    "The colour of roofs", "Clocks that nobody winds", "A short history of hinges",
    "Paths off the map", "What the tide leaves",
)  # fmt: skip


def prose(count: int, *, seed: int) -> str:
    """`count` sentences in an order of their own, joined by spaces."""
    rng = np.random.default_rng(seed)
    order: list[int] = []
    while len(order) < count:
        order += rng.permutation(len(SENTENCES)).tolist()
    return " ".join(SENTENCES[i] for i in order[:count])
