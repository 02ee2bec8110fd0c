"""Offices: a dashboard, letters, talk, a calendar, a long table."""

from functools import partial

import numpy as np

from ncodec.eval.corpora.document import FACES, Page, document, face
from ncodec.eval.corpora.symbols import symbol
from ncodec.eval.corpora.words import DAYS, MONTHS, NAMES, SENTENCES, TITLES, prose

DASHBOARD = """
header { padding: 10px 22px; background: var(--raised); border-bottom: 1px solid var(--line); }
main { display: grid; grid-template-columns: repeat(4, 1fr); gap: 14px; padding: 18px; }
.wide { grid-column: span 3; } .half { grid-column: span 2; } .value { font-size: 26px;
  font-weight: bold; }
.up { color: #1a9a4b; } .down { color: #d6453d; } svg.plot { width: 100%; display: block; }
svg text { font-size: 9px; fill: var(--faint); } td, th { font-size: 11px;
  border-bottom: 1px solid var(--line); }
.bar { height: 7px; border-radius: 4px; background: linear-gradient(90deg, #4a90f0, #8a5cf5); }
"""
MAIL = """
body { display: grid; grid-template-columns: 170px 330px 1fr; font-size: 13px; }
.boxes { background: linear-gradient(#27364f, #1a2334); color: #d9e1ee; padding: 16px;
  line-height: 2.2; }
.list { border-right: 1px solid var(--line); background: var(--raised); overflow: hidden; }
.item { padding: 9px 12px; border-bottom: 1px solid var(--line); }
.item.on { background: rgba(80,140,240,.16); }
.cut { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.letter { padding: 22px 28px; overflow: hidden; }
h1 { font-size: 20px; margin-bottom: 12px; } p { margin: 11px 0; } .new { font-weight: bold; }
.count { background: #4a90f0; border-radius: 9px; padding: 0 7px; font-size: 11px; color: #fff; }
"""
CHAT = """
body { display: flex; flex-direction: column; background-size: 26px 26px;
  background-image: radial-gradient(rgba(120,130,160,.22) 1.5px, transparent 2px); }
header { background: var(--raised); padding: 9px 16px; box-shadow: 0 1px 5px rgba(0,0,0,.2); }
main { flex: 1; padding: 16px; overflow: hidden; } .said { display: flex; gap: 8px;
  margin-bottom: 10px; align-items: flex-end; }
.bubble { max-width: 66%; padding: 8px 12px; border-radius: 16px 16px 16px 4px;
  background: var(--raised);
  box-shadow: 0 1px 3px rgba(0,0,0,.18); font-size: 13px; }
.mine { flex-direction: row-reverse; } .mine .bubble { color: #fff;
  border-radius: 16px 16px 4px 16px;
  background: linear-gradient(135deg, #4a90f0, #7a4df0); } .mine .faint { color: #dce6ff; }
footer { background: var(--raised); padding: 10px 16px; } .field { border: 1px solid var(--line);
  border-radius: 18px; padding: 7px 14px; }
"""
CALENDAR = """
header { padding: 12px 20px; background: var(--raised); } h1 { font-size: 20px; }
.month { display: grid; grid-template-columns: repeat(7, 1fr); border-top: 1px solid var(--line); }
.month > div { border-right: 1px solid var(--line); border-bottom: 1px solid var(--line);
  height: 104px; padding: 4px;
  background: var(--raised); font-size: 11px; overflow: hidden; } .month > .name { height: 24px;
  text-align: center; color: var(--faint); }
.month > .out { background: var(--ground); color: var(--faint); } .today b { background: #d6453d;
  color: #fff; border-radius: 50%; padding: 2px 5px; }
.event { border-radius: 4px; padding: 1px 5px; margin-top: 2px; color: #fff; font-size: 10px;
  white-space: nowrap; overflow: hidden; }
"""
STATIONS = ("North Bank", "Mill Lane", "Quay", "Long Acre", "Foundry", "Weir 4")
TABLE = """
body { padding: 20px; } h1 { font-size: 19px; margin-bottom: 10px; }
th { background: var(--raised); border-bottom: 2px solid var(--accent); font-size: 11px; }
td { font-size: 11.5px; border-bottom: 1px solid var(--line); }
tr:nth-child(even) td { background: rgba(127,127,127,.07); }
.n { text-align: right; font-family: "DejaVu Sans Mono"; } .pill { border-radius: 9px;
  padding: 1px 9px; font-size: 10px; }
.good { background: rgba(40,170,90,.22); color: #35b56a; } .bad { background: rgba(220,70,60,.22);
  color: #ee6a60; } .wait { background: rgba(230,170,30,.22); color: #dfa52c; }
"""


def _area(rng: np.random.Generator, *, width: int, height: int) -> str:
    x = np.linspace(30, width - 6, 48)
    walks = [0.55 + 0.05 * np.cumsum(rng.normal(0, 1, len(x))) for _ in range(2)]
    drawn, floor = [], height - 18
    for walk, colour in zip(walks, ("#4a90f0", "#e0356f"), strict=True):
        y = floor - np.clip(walk, 0.05, 0.95) * (height - 30)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        closed = f"30,{floor} {points} {width - 6},{floor}"
        drawn.append(f'<polygon fill="{colour}" opacity=".15" points="{closed}"/>')
        line = f'fill="none" stroke="{colour}" stroke-width="1.6"'
        drawn.append(f'<polyline points="{points}" {line}/>')
    for i in range(5):
        y_line = floor - i * (height - 30) / 4
        drawn.append(
            f'<path d="M30 {y_line:.1f}H{width}" stroke="#8884" stroke-width=".6"/>'
            f'<text x="4" y="{y_line + 3:.1f}">{i * 25}</text>'
        )
    for i, month in enumerate(MONTHS):
        left = 40 + i * (width - 50) / 12
        drawn.append(f'<text x="{left:.0f}" y="{floor + 13}">{month}</text>')
    return f'<svg class=plot viewBox="0 0 {width} {height}">{"".join(drawn)}</svg>'


def _ring(shares: list[float]) -> str:
    round_trip, start, parts = 2 * np.pi * 40, 0.0, []
    for share, colour in zip(shares, FACES, strict=False):
        parts.append(
            f'<circle cx="60" cy="60" r="40" fill="none" stroke="{colour}" stroke-width="16" '
            f'stroke-dasharray="{share * round_trip:.1f} 999" '
            f'stroke-dashoffset="{-start * round_trip:.1f}"/>'
        )
        start += share
    return (
        f'<svg class=plot viewBox="0 0 120 120">{"".join(parts)}<text x="60" y="63" '
        'text-anchor="middle" style="font-size:13px">2,318</text></svg>'
    )


def dashboard(*, dark: bool) -> str:
    """Figures, lines, a ring, bars and a small table."""
    rng = np.random.default_rng(17)
    header = (
        f"<header class=row>{symbol('chart')} <b>Gauges</b>"
        f"<span class='faint small grow'>updated 16:20:07</span>{symbol('bell')} "
        f"{symbol('gear')} {face(NAMES[1])}</header>"
    )
    facts = (
        ("Mean level", "2.41 m", "+3.2 %", "up"),
        ("Stations", "118", "−2", "down"),
        ("Alarms", "7", "+1", "down"),
        ("Readings", "84,960", "+0.4 %", "up"),
    )
    cards = "".join(
        (
            f"<div class=card><span class='small faint'>{name}</span>"
            f"<div class=value>{value}</div><span class='small {way}'>{change} this week</span>"
            "</div>"
        )
        for name, value, change, way in facts
    )
    plot = (
        f"<div class='card wide'><b>Levels, %</b>{_area(rng, width=620, height=190)}</div>"
        f"<div class=card><b>By river</b>{_ring([0.34, 0.24, 0.18, 0.14, 0.1])}</div>"
    )
    bars = "".join(
        (
            "<div class=row style='margin-top:8px'><span class=small "
            f"style='width:96px'>{name}</span><div class=grow>"
            f"<div class=bar style='width:{rng.integers(20, 100)}%'></div></div></div>"
        )
        for name in NAMES[:7]
    )
    rows = "".join(
        (
            f"<tr><td>{name}</td><td>{rng.uniform(0, 5):.2f} m</td>"
            f"<td>{rng.uniform(10, 13):.1f} V</td><td "
            f"class={'up' if i % 3 else 'down'}>{'▲' if i % 3 else '▼'} "
            f"{rng.uniform(0, 9):.1f} "
            "%</td></tr>"
        )
        for i, name in enumerate(STATIONS)
    )
    return document(
        DASHBOARD,
        (
            f"{header}<main>{cards}{plot}<div class='card half'><b>By keeper</b>{bars}</div>"
            "<div class='card half'><b>Latest</b><table><tr>"
            f"<th>station<th>level<th>battery<th>change</tr>{rows}</table></div></main>"
        ),
        dark=dark,
    )


def mail() -> str:
    """Boxes, a list of letters, one of them open."""
    boxes = "".join(
        f"<div class=row>{symbol(icon)} <span class=grow>{name}</span>{count}</div>"
        for icon, name, count in (
            ("mail", "Inbox", "<span class=count>12</span>"),
            ("star", "Starred", ""),
            ("file", "Drafts", "2"),
            ("folder", "Rivers", ""),
            ("folder", "Family", ""),
            ("bin", "Waste", ""),
        )
    )
    items = "".join(
        (
            f"<div class='item row {'on' if i == 1 else ''}'>{face(name)}<div class=grow>"
            f"<div class='row {'new' if i % 3 == 0 else ''}'><span class='grow cut'>{name}</span>"
            f"<span class=tiny>{8 + i}:{7 * i % 60:02}</span></div>"
            f"<div class=cut>{TITLES[i % len(TITLES)]}</div>"
            f"<div class='cut small faint'>{SENTENCES[(3 * i) % len(SENTENCES)]}</div></div></div>"
        )
        for i, name in enumerate(NAMES)
    )
    letter = (
        f"<h1>{TITLES[1]}</h1><div class=row>{face(NAMES[1])}<div class=grow><b>{NAMES[1]}</b>"
        "<div class='small faint'>to me, Ruth, Owen</div>"
        f"</div>{symbol('left')} {symbol('bin')}</div>"
        f"<p>Dear Ada,</p><p>{prose(5, seed=61)}</p><p>{prose(4, seed=62)}</p>"
        f"<p>{prose(6, seed=63)}</p><p>Yours,<br>Tomas</p>"
        f"<div class='card row small'>{symbol('clip')} harbour plan.pdf <span class=faint>482 "
        "kB</span></div>"
    )
    return document(
        MAIL,
        (
            f"<div class=boxes><span class='button main'>{symbol('plus')} "
            f"Write</span>{boxes}</div><div class=list>{items}</div>"
            f"<div class=letter>{letter}</div>"
        ),
    )


def chat(*, dark: bool) -> str:
    """Bubbles with gradients and shadows on a dotted ground."""
    header = (
        f"<header class=row>{symbol('left')} {face(NAMES[4])}<div class=grow><b>{NAMES[4]}</b>"
        f"<div class='tiny faint'>typing…</div></div>{symbol('search')}</header>"
    )
    said = ""
    for i in range(11):
        mine = i % 5 in (1, 4)
        text = prose(1 + (i % 3 == 2), seed=70 + i)
        who = "" if mine else face(NAMES[4])
        said += (
            f"<div class='said {'mine' if mine else ''}'>{who}<div class=bubble>{text} <span "
            f"class='tiny faint'>{9 + i // 4}:{11 * i % 60:02} "
            f"{symbol('tick') if mine else ''}</span></div></div>"
        )
    foot = (
        f"<footer class=row>{symbol('plus')}<span class='field grow faint'>Write to "
        f"Kenji…</span>{symbol('music')} {symbol('right')}</footer>"
    )
    return document(CHAT, f"{header}<main>{said}</main>{foot}", dark=dark)


def calendar() -> str:
    """A month with coloured events."""
    rng = np.random.default_rng(23)
    events = (
        "Tune the oboe",
        "Dentist",
        "Tide survey",
        "Call Ruth",
        "Quay meeting",
        "Train 07:15",
        "Pay the mill",
    )
    cells = "".join(f"<div class=name>{day}</div>" for day in DAYS)
    for i in range(35):
        day = i - 2
        inside = 1 <= day <= 31
        shown = "".join(
            (
                "<div class=event "
                f"style='background:{FACES[rng.integers(len(FACES))]}'>{rng.integers(8, 19)}:30 "
                f"{events[rng.integers(len(events))]}</div>"
            )
            for _ in range(rng.integers(0, 4))
        )
        sort = "out" if not inside else "today" if day == 14 else "in"
        date, shown = (day, shown) if inside else ((day - 1) % 28 + 1, "")
        cells += f"<div class={sort}><b>{date}</b>{shown}</div>"
    header = (
        f"<header class=row><h1 class=grow>March 1987</h1>{symbol('left')} {symbol('right')} "
        f"<span class=button>Month {symbol('down')}</span>"
        f"<span class='button main'>{symbol('plus')} New</span></header>"
    )
    return document(CALENDAR, f"{header}<div class=month>{cells}</div>")


def table(*, dark: bool) -> str:
    """Many rows of small text, numbers and pills."""
    rng = np.random.default_rng(29)
    states = (("good", "paid"), ("wait", "open"), ("bad", "late"))
    rows = ""
    for i in range(46):
        sort, state = states[rng.choice(3, p=[0.6, 0.25, 0.15])]
        rows += (
            f"<tr><td class=n>{10482 + 13 * i}</td><td>{NAMES[rng.integers(len(NAMES))]}</td>"
            f"<td class=faint>{TITLES[rng.integers(len(TITLES))]}</td>"
            f"<td class=n>{rng.uniform(3, 4000):,.2f} £</td>"
            f"<td>{rng.integers(1, 28):02}.03.1987</td><td>"
            f"<span class='pill {sort}'>{state}</span></td></tr>"
        )
    return document(
        TABLE,
        (
            f"<h1>Invoices {symbol('down')}</h1><table><tr>"
            f"<th>No<th>Name<th>For<th>Amount<th>Due<th>State</tr>{rows}</table>"
        ),
        dark=dark,
    )


def pages() -> list[Page]:
    """All of this sort, light and dark."""
    return [
        Page("dashboard", (1200, 760), partial(dashboard, dark=False)),
        Page("dashboard-dark", (1037, 700), partial(dashboard, dark=True)),
        Page("mail", (1150, 780), mail),
        Page("chat", (800, 900), partial(chat, dark=False)),
        Page("chat-dark", (803, 821), partial(chat, dark=True)),
        Page("calendar", (1000, 620), calendar),
        Page("table", (900, 1000), partial(table, dark=False)),
        Page("table-dark", (1400, 1320), partial(table, dark=True)),
    ]
