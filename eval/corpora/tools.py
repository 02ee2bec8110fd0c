"""Tools: a terminal, an editor, a spreadsheet, folders, settings."""

from functools import partial

import numpy as np

from ncodec.eval.corpora.document import Page, document
from ncodec.eval.corpora.symbols import symbol
from ncodec.eval.corpora.syntax import highlighted, mark
from ncodec.eval.corpora.words import DAYS, NAMES

TERMINAL = """
body { background: linear-gradient(#2b5876, #4e4376); padding: 34px; }
.window { border-radius: 10px; overflow: hidden; box-shadow: 0 18px 50px rgba(0,0,0,.55);
  height: 100%;
  background: #0d1117; display: flex; flex-direction: column; }
.bar { background: linear-gradient(#4a4d55, #36393f); padding: 7px 12px; color: #ddd;
  font-size: 12px; }
.dot { width: 12px; height: 12px; border-radius: 50%; }
pre { padding: 12px 14px; font-size: 13px; line-height: 1.35; color: #c9d1d9; flex: 1; }
.g { color: #56d364; } .b { color: #79c0ff; } .r { color: #ff7b72; } .y { color: #e3b341; }
.d { color: #6e7681; } .inv { background: #c9d1d9; color: #0d1117; }
"""
EDITOR = """
body { background: #1e1e1e; color: #d4d4d4; display: grid; font-size: 12px;
  grid-template: 34px 1fr 24px / 46px 200px 1fr; }
.tabs { grid-column: 2 / 4; background: #252526; display: flex; }
.tab { padding: 8px 16px; border-right: 1px solid #1e1e1e; color: #999; }
.tab.on { background: #1e1e1e; color: #fff; border-top: 2px solid #3794ff; }
.rail { grid-row: 1 / 3; background: #333; text-align: center; padding-top: 12px;
  line-height: 40px; color: #aaa; }
.tree { background: #252526; padding: 10px; line-height: 1.75; }
.code { display: flex; padding-top: 6px; overflow: hidden; }
pre { font-size: 13px; line-height: 19px; } .lines { color: #858585; text-align: right;
  padding: 0 16px; }
.text { position: relative; flex: 1; } .here { position: absolute; top: 133px; left: -4px;
  right: 96px;
  height: 19px; background: rgba(255,255,255,.07); border: 1px solid #333; }
.map { width: 86px; font-size: 2px; line-height: 3px; opacity: .8; }
.foot { grid-column: 1 / 4; background: #007acc; color: #fff; padding: 3px 12px; font-size: 11px; }
.k { color: #c586c0; } .s { color: #ce9178; } .c { color: #6a9955; } .n { color: #b5cea8; }
.f { color: #dcdcaa; }
.wave { text-decoration: underline wavy #f14c4c 1px; }
"""
SHEET = """
body { font-size: 12px; background: #fff; } .tools { background: #f3f6f3; padding: 6px 10px;
  border-bottom: 1px solid #cdd6cd; } .top { background: #1d7044; color: #fff; padding: 7px 12px; }
.formula { border-bottom: 1px solid #ccc; padding: 3px 8px; font-family: "DejaVu Sans Mono"; }
td, th { border: 1px solid #dcdcdc; padding: 2px 6px; height: 21px; white-space: nowrap;
  font-size: 11px; }
th { background: linear-gradient(#f8f8f8, #e9e9e9); text-align: center; color: #555;
  font-weight: normal; }
.n { text-align: right; font-variant-numeric: tabular-nums; } .neg { color: #c00; }
.on { outline: 2px solid #1d7044; outline-offset: -1px; } .total td { font-weight: bold;
  background: #e8f3ec; }
"""
FILES = """
.side { width: 190px; background: var(--ground); padding: 14px; border-right: 1px solid var(--line);
  line-height: 2.1; font-size: 13px; } body { display: flex; background: var(--raised);
  font-size: 13px; }
.head { padding: 10px 16px; border-bottom: 1px solid var(--line);
  background: linear-gradient(var(--raised), var(--ground)); }
.path { border: 1px solid var(--line); border-radius: 6px; padding: 4px 10px; }
th { font-weight: normal; color: var(--faint); font-size: 11px;
  border-bottom: 1px solid var(--line); }
tr.on { background: var(--accent); color: #fff; } .grid { display: flex; flex-wrap: wrap;
  gap: 12px; padding: 14px; }
.thing { width: 88px; text-align: center; font-size: 11px; } .thing svg { width: 46px; height: 46px;
  stroke: #2f76c9; fill: #bcd9f7; stroke-width: 1; } .thing div { height: 50px;
  border-radius: 6px; }
"""
SETTINGS = """
body { background: linear-gradient(120deg, #8ec5fc, #e0c3fc); padding: 30px; font-size: 13px; }
.dialog { background: var(--ground); border-radius: 12px; height: 100%; display: flex;
  overflow: hidden;
  box-shadow: 0 14px 44px rgba(30,30,80,.5); }
.menu { width: 180px; padding: 16px 10px; background: var(--raised); }
.menu div { padding: 7px 10px; border-radius: 7px; }
.menu .on { background: var(--accent); color: #fff; } .body { padding: 20px 26px; }
h1 { font-size: 20px; margin-bottom: 12px; } .line { padding: 10px 0;
  border-bottom: 1px solid var(--line); }
.switch { width: 38px; height: 21px; border-radius: 11px; background: #b6bcc8; padding: 2px; }
.switch i { display: block; width: 17px; height: 17px; border-radius: 50%; background: #fff;
  box-shadow: 0 1px 3px rgba(0,0,0,.4); } .switch.on { background: #34a853; }
.switch.on i { margin-left: 17px; }
.slider { height: 5px; border-radius: 3px; width: 180px; position: relative; }
.slider i { position: absolute; top: -6px; width: 17px; height: 17px; border-radius: 50%;
  background: #fff;
  border: 1px solid #aaa; box-shadow: 0 1px 4px rgba(0,0,0,.3); }
.radio { width: 14px; height: 14px; border: 1px solid #888; border-radius: 50%; }
.radio.on { border: 5px solid var(--accent); }
"""
CODE = '''"""Levels of rivers, hour by hour."""

from collections import deque
from dataclasses import dataclass

@dataclass(frozen=True)
class Reading:
    hour: int
    level: float  # metres above the datum

def smooth(readings, width=5):
    """Running means of `width` readings."""
    window = deque(maxlen=width)
    for reading in readings:
        window.append(reading.level)
        yield sum(window) / len(window)

def alarms(readings, limit=4.75):
    above = False
    for reading, level in zip(readings, smooth(readings)):
        if level > limit and not above:
            print(f"{reading.hour:>5} h  {level:.2f} m")
            above = True
        elif level < limit - 0.25:
            above = False

def main():
    readings = [Reading(i, 3 + i % 24 / 10) for i in range(720)]
    for hour in alarms(readings, limit=4.9):
        raise SystemExit("water over the quay")
    return None
'''
# Spans of text after their classes; PROMPT stands before each command.
PROMPT = (("g", "ada@quay"), ("", ":"), ("b", "~/rivers"), ("", "$ "))
SESSION = (
    *PROMPT, ("", "ls -l --color\n"), ("d", "total 48\n"),
    ("", "drwxr-xr-x 2 ada ada  4096 Mar  3 09:12 "), ("b", "data/\n"),
    ("", "-rwxr-xr-x 1 ada ada 11820 Mar  7 18:40 "), ("g", "gauge*\n"),
    ("", "-rw-r--r-- 1 ada ada  2210 Mar  7 18:41 notes.txt\n"),
    *PROMPT, ("", "./gauge --station 'North Bank' --check\n"),
    ("y", "warning:"), ("", " 3 readings are missing (hours 41–43)\n"),
    ("g", "  ✓ "), ("", "levels within 0.25–5.02 m\n"), ("g", "  ✓ "), ("", "clock is right\n"),
    ("r", "  ✗ "), ("", "battery at 11.2 V, expected 12.0 V or more\n"),
    ("d", "  2 passed, 1 failed in 0.83 s\n"),
    *PROMPT, ("", "diff old.cfg new.cfg\n"), ("b", "@@ -3,4 +3,4 @@\n"), ("", " unit = m\n"),
    ("r", "-limit = 4.50\n"), ("g", "+limit = 4.75\n"), ("", " every = 3600\n"),
    *PROMPT, ("", "top -n 1 | head -4\n"),
    ("inv", "  PID USER      %CPU %MEM     TIME+ COMMAND            \n"),
    ("", " 1187 ada       61.3  4.1   2:14.08 gauge\n"),
    ("", "  942 root       3.0  0.7   0:41.77 clockd\n"),
    *PROMPT, ("", "./gauge --spark\n"), ("y", "▁▂▃▅▆▇█▇▅▃▂▁▁▂▄▆█▇▅▃\n"), *PROMPT, ("inv", " "),
)  # fmt: skip


def terminal() -> str:
    """A window with coloured output over a gradient."""
    colours = ("#ff5f57", "#febc2e", "#28c840")
    dots = "".join(f'<span class=dot style="background:{colour}"></span>' for colour in colours)
    text = "".join(mark(sort, said) for sort, said in SESSION)
    title = "<span class=grow style='text-align:center'>ada@quay: ~/rivers — 90×34</span>"
    bar = f"<div class='bar row'>{dots}{title}</div>"
    return document(TERMINAL, f"<div class=window>{bar}<pre>{text}</pre></div>", dark=True)


def editor() -> str:
    """A dark editor: files, tabs, numbered lines in colours and a map of them."""
    rail = "<br>".join(map(symbol, ("file", "search", "star", "bell", "gear")))
    names = ("data", "tests", "alarms.py", "gauge.py", "levels.py", "notes.txt", "pyproject.toml")
    icons = ("folder", "folder", *["file"] * 5)
    tree = "".join(f"<div>{symbol(i)} {name}</div>" for i, name in zip(icons, names, strict=True))
    tabs = (
        f"<div class=tab>gauge.py</div><div class='tab on'>levels.py {symbol('cross')}</div>"
        "<div class=tab>notes.txt</div>"
    )
    code = highlighted(CODE * 2).replace("window", "<span class=wave>window</span>", 1)
    numbers = "\n".join(map(str, range(1, 70)))
    text = (
        f"<pre class=lines>{numbers}</pre><div class=text><div class=here></div>"
        f"<pre>{code}</pre></div><pre class=map>{highlighted(CODE * 4)}</pre>"
    )
    foot = (
        "<div class='foot row'>main* <span class=grow>0 errors, 1 warning</span>Ln 8, Col 17 "
        "&nbsp; UTF-8 &nbsp; Python 3.11</div>"
    )
    return document(
        EDITOR,
        (
            f"<div class=rail>{rail}</div><div class=tabs>{tabs}</div><div class=tree>"
            f"<b class=tiny>RIVERS</b>{tree}</div><div class=code>{text}</div>{foot}"
        ),
        dark=True,
    )


def _sheet_row(number: int, rng: np.random.Generator) -> str:
    amounts = rng.normal(800, 900, 7)
    name = NAMES[number % len(NAMES)]
    cells = ""
    for i, value in enumerate(amounts):
        sort = "n on" if (number, i) == (9, 3) else "n neg" if value < 0 else "n"
        cells += f"<td class='{sort}'>{value:,.2f}</td>"
    shade = f" style='background:hsl({120 if amounts.sum() > 5000 else 40},60%,88%)'"
    total = f"<td class=n{shade}>{amounts.sum():,.2f}</td>"
    return f"<tr><th>{number}</th><td>{name}</td>{cells}{total}</tr>"


def spreadsheet() -> str:
    """Numbers in a grid, negative ones in red, sums in bold."""
    rng = np.random.default_rng(5)
    letters = "".join(f"<th>{letter}</th>" for letter in " ABCDEFGHI")
    titles = "".join(f"<td><b>{title}</b></td>" for title in ("Name", *DAYS, "Sum"))
    rows = "".join(_sheet_row(i, rng) for i in range(2, 30))
    total = (
        "<tr class=total><th>30</th><td>Total</td>"
        + "".join(f"<td class=n>{v:,.2f}</td>" for v in rng.uniform(9e3, 3e4, 8))
        + "</tr>"
    )
    tools = "".join(
        f"<span class=button style='padding:2px 8px'>{t}</span>"
        for t in ("<b>B</b>", "<i>I</i>", "<u>U</u>", "%", ".00", symbol("chart"), symbol("search"))
    )
    top = (
        f"<div class='top row'>{symbol('file')} <b>Takings, week 11</b><span class=grow>"
        f"</span>{symbol('user')}</div><div class='tools row'>{tools}</div><div class=formula>"
        "<i>fx</i> &nbsp; =SUM(B9:H9) * 1.175</div>"
    )
    head = f"<tr>{letters}</tr><tr><th>1</th>{titles}</tr>"
    return document(SHEET, f"{top}<table>{head}{rows}{total}</table>")


def files(*, dark: bool) -> str:
    """Folders as icons over files as a list, with one selected."""
    places = (
        ("star", "Starred"),
        ("user", "Home"),
        ("screen", "Desktop"),
        ("music", "Music"),
        ("image", "Pictures"),
        ("bin", "Waste"),
    )
    side = "".join(f"<div>{symbol(icon)} {name}</div>" for icon, name in places)
    things = "".join(
        f"<div class=thing>{symbol('folder')}<br>{name}</div>"
        for name in ("Letters", "Maps 1911", "Scans", "Rivers", "Invoices", "Music")
    )
    hues = "".join(
        (
            f"<div class=thing><div style='background:conic-gradient(from {40 * i}deg, "
            f"hsl({50 * i},70%,60%), hsl({50 * i + 80},60%,35%), hsl({50 * i},70%,60%))'>"
            f"</div>IMG_{2041 + 7 * i}.png</div>"
        )
        for i in range(4)
    )
    rng = np.random.default_rng(8)
    names = (
        "harbour plan.pdf",
        "ledger-1874.ods",
        "notes.txt",
        "oboe.flac",
        "tides.csv",
        "valley.png",
        "walnut.svg",
        "zinc.log",
    )
    rows = "".join(
        (
            f"<tr class={'on' if i == 2 else 'off'}><td>{symbol('file')} {name}</td>"
            f"<td>{rng.integers(2, 900)} kB</td><td>{rng.integers(1, 28)} March, "
            f"{rng.integers(8, 19):02}:{rng.integers(0, 60):02}</td></tr>"
        )
        for i, name in enumerate(names)
    )
    head = (
        f"<div class='head row'>{symbol('left')} {symbol('right')}<span class='path "
        f"grow'>{symbol('user')} / Documents / <b>Archive</b>"
        f"</span>{symbol('search')} {symbol('plus')}</div>"
    )
    return document(
        FILES,
        (
            f"<div class=side>{side}</div><div class=grow>{head}<div "
            f"class=grid>{things}{hues}</div><table><tr>"
            f"<th>Name<th>Size<th>Changed</tr>{rows}</table></div>"
        ),
        dark=dark,
    )


def settings() -> str:
    """A dialog with switches, sliders, radio buttons and two buttons."""
    menu = "".join(
        f"<div class={'on' if i == 1 else 'off'}>{symbol(icon)} &nbsp;{name}</div>"
        for i, (icon, name) in enumerate(
            (
                ("user", "Account"),
                ("screen", "Display"),
                ("music", "Sound"),
                ("bell", "Notices"),
                ("lock", "Privacy"),
                ("gear", "System"),
            )
        )
    )
    switches = "".join(
        (
            f"<div class='line row'><div class=grow>{name}<div class='small faint'>{why}</div>"
            f"</div><div class='switch {state}'><i></i></div></div>"
        )
        for name, why, state in (
            ("Night light", "Warmer colours after 21:00", "on"),
            ("Smooth edges", "Of letters, in grey", "on"),
            ("Fewer movements", "No sliding windows", "off"),
        )
    )
    sliders = "".join(
        (
            f"<div class='line row'><span class=grow>{name}</span>"
            f"<div class=slider style='background:linear-gradient(90deg, var(--accent) {share}%, "
            f"#c3c9d4 {share}%)'><i style='left:{share - 4}%'></i></div>"
            f"<span class=small>{share} %</span></div>"
        )
        for name, share in (("Brightness", 72), ("Contrast", 40))
    )
    radios = "".join(
        f"<span class='radio {state}'></span> {name}"
        for name, state in (("100 %", "off"), ("125 %", "on"), ("150 %", "off"))
    )
    body = (
        f"<h1>Display</h1>{switches}{sliders}<div class='line row'>"
        f"<span class=grow>Scale</span>{radios}</div><div class=row style='margin-top:16px'>"
        "<span class=grow></span><span class=button>Cancel</span>"
        "<span class='button main'>Apply</span></div>"
    )
    halves = f"<div class=menu>{menu}</div><div class='body grow'>{body}</div>"
    return document(SETTINGS, f"<div class=dialog>{halves}</div>")


def pages() -> list[Page]:
    """All of this sort, light and dark."""
    return [
        Page("terminal", (860, 720), terminal),
        Page("editor", (1100, 760), editor),
        Page("spreadsheet", (1000, 760), spreadsheet),
        Page("files", (820, 610), partial(files, dark=False)),
        Page("files-dark", (901, 600), partial(files, dark=True)),
        Page("settings", (800, 600), settings),
    ]
