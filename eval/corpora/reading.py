"""Pages to read: an article, documentation, a slide, a shop, a form to log in."""

from functools import partial
from pathlib import Path

from ncodec.eval.corpora.document import Page, data_uri, document, face
from ncodec.eval.corpora.symbols import symbol
from ncodec.eval.corpora.syntax import highlighted
from ncodec.eval.corpora.words import NAMES, TITLES, prose

ARTICLE = """
body { font: 17px/1.65 "DejaVu Serif", serif; }
header { padding: 14px 40px; border-bottom: 1px solid var(--line); background: var(--raised);
  font: 13px "DejaVu Sans"; }
main { max-width: 680px; margin: 36px auto; }
h1 { font-size: 40px; line-height: 1.15; margin-bottom: 12px; }
h2 { font-size: 24px; margin: 28px 0 8px; }
p { margin-bottom: 14px; text-align: justify; }
p.first::first-letter { float: left; font-size: 62px; line-height: .85; padding-right: 8px;
  color: var(--accent); }
blockquote { border-left: 4px solid var(--accent); padding: 6px 20px; margin: 20px 0;
  font-style: italic;
  color: var(--faint); font-size: 20px; }
figure { margin: 22px -40px; } figure div { height: 190px; border-radius: 8px;
  background: radial-gradient(circle at 72% 30%, #ffe6a8 0 6%, transparent 7%),
    linear-gradient(#27466e, #b7869a 55%, #f0c19a 70%, #35453b 70%, #1c2622); }
figcaption { font: 11px "DejaVu Sans"; color: var(--faint); margin-top: 5px; }
a { color: var(--accent); }
"""
DOCS = """
.page { display: grid; grid-template-columns: 220px 1fr; min-height: 100%; }
nav { background: var(--raised); border-right: 1px solid var(--line); padding: 20px;
  font-size: 13px; }
nav b { display: block; margin: 14px 0 4px; font-size: 11px; letter-spacing: 1px;
  color: var(--faint); }
nav div { padding: 3px 8px; border-radius: 5px; } nav .on { background: var(--accent);
  color: #fff; }
article { padding: 28px 44px; max-width: 860px; }
h1 { font-size: 30px; } h2 { font-size: 20px; margin: 26px 0 8px;
  border-bottom: 1px solid var(--line); }
p { margin: 10px 0; } code { background: rgba(120,130,150,.16); border-radius: 4px;
  padding: 1px 4px; font-size: 12.5px; }
pre { background: #1f2430; color: #cbccc6; border-radius: 8px; padding: 14px; font-size: 12.5px;
  line-height: 1.45; }
.note { border-left: 4px solid #e6a100; background: rgba(230,161,0,.1); padding: 10px 14px;
  border-radius: 0 6px 6px 0; }
li { margin: 5px 0 5px 20px; font-size: 13px; }
td, th { border: 1px solid var(--line); font-size: 13px; } th { background: rgba(120,130,150,.12); }
.k { color: #ffa759; } .s { color: #bae67e; } .c { color: #6b7a8d; font-style: italic; }
.n { color: #ffcc66; } .f { color: #73d0ff; }
"""
SLIDE = """
body { background: linear-gradient(135deg, #1b2a4a, #3b2a5c 60%, #83375e); color: #fff;
  padding: 60px 76px; }
h1 { font-size: 52px; line-height: 1.1; margin-bottom: 30px; } li { font-size: 25px;
  margin: 16px 0 16px 26px; }
.plot rect { fill: hsl(var(--hue), 80%, 65%); }
.curve { fill: none; stroke: #ffd36b; stroke-width: 4; }
.two { display: flex; gap: 46px; } svg.plot { width: 480px; height: 330px;
  background: rgba(255,255,255,.08);
  border-radius: 16px; box-shadow: 0 12px 40px rgba(0,0,0,.4); }
footer { position: fixed; bottom: 24px; left: 76px; right: 76px; display: flex;
  justify-content: space-between;
  font-size: 13px; opacity: .7; }
"""
SHOP = """
header { background: var(--raised); padding: 14px 34px; box-shadow: 0 1px 6px rgba(0,0,0,.15); }
.brand { font: bold 22px "DejaVu Serif"; color: #7a3b12; }
.find { border: 1px solid var(--line); border-radius: 20px; padding: 6px 16px;
  color: var(--faint); }
main { display: grid; grid-template-columns: 560px 1fr; gap: 36px; padding: 28px 34px; }
img.large { width: 560px; height: 374px; border-radius: 12px;
  box-shadow: 0 6px 22px rgba(0,0,0,.25); }
.thumbs img { width: 84px; height: 56px; border-radius: 6px; border: 2px solid transparent; }
.thumbs img:first-child { border-color: var(--accent); }
h1 { font-size: 25px; line-height: 1.25; } .price { font-size: 31px; color: #b3261e; }
s { color: var(--faint); font-size: 16px; }
.stars { color: #f0a000; letter-spacing: 2px; } .swatch { width: 30px; height: 30px;
  border-radius: 50%; border: 2px solid #fff;
  box-shadow: 0 0 0 1px var(--line); } .tag { background: #e5f4e7; color: #1b6b2c;
  border-radius: 4px; padding: 2px 8px; font-size: 11px; }
.more { grid-column: 1 / 3; display: grid; grid-template-columns: repeat(3, 1fr); gap: 18px; }
"""
LOG_IN = """
body { display: flex; align-items: center; justify-content: center;
  background: radial-gradient(circle at 20% 20%, #7fd6e8, transparent 50%),
    linear-gradient(160deg, #4568dc, #b06ab3); }
.card { width: 350px; padding: 32px; border-radius: 18px; border: 0;
  box-shadow: 0 20px 60px rgba(10,10,50,.45); }
h1 { font-size: 23px; text-align: center; margin: 12px 0 20px; }
label { font-size: 12px; color: var(--faint); }
.field { border: 1px solid var(--line); border-radius: 8px; padding: 9px 12px; margin: 4px 0 14px; }
.on { border-color: var(--accent); box-shadow: 0 0 0 3px rgba(31,98,201,.25); }
.main { display: block; text-align: center; padding: 10px; margin: 18px 0 14px; }
.logo { width: 58px; height: 58px; margin: auto; border-radius: 16px;
  background: linear-gradient(45deg, #ff9a5a, #e0356f);
  color: #fff; text-align: center; line-height: 58px; }
"""
SAMPLE = '''from rivers import Gauge, mean

# One reading an hour, in metres.
def summary(gauge: Gauge, *, days: int = 7) -> dict[str, float]:
    """Mean and extremes of the last days."""
    values = [r.level for r in gauge.read(days * 24)]
    if not values:
        raise ValueError("no readings")
    return {"mean": mean(values), "max": max(values), "min": 0.25}
'''


OTHER = """for name in ("Quay", "Weir 4", "Long Acre"):
    levels = summary(Gauge(name), days=30)
    print(f"{name:<12}{levels['mean']:6.2f} m")  # one line a station
"""


def article(seed: int, *, dark: bool) -> str:
    """A long text in serif letters, with a drop capital, a quotation and a picture of gradients."""
    top = (
        "<header class=row><b>The Quay Review</b><span class=grow>"
        f"</span>Essays · Letters · {symbol('search')}</header>"
    )
    by = f"<p class=faint>{NAMES[seed % len(NAMES)]} · 14 March · 9 minutes</p>"
    title = f"<h1>{TITLES[seed % len(TITLES)]}</h1>{by}"
    parts = [f"<p class=first>{prose(6, seed=seed)}</p>", f"<p>{prose(5, seed=seed + 1)}</p>"]
    parts.append(f"<blockquote>{prose(1, seed=seed + 2)}</blockquote>")
    caption = "<figcaption>The estuary at dusk. Drawing by the author.</figcaption>"
    parts.append(f"<figure><div></div>{caption}</figure>")
    for i in range(3):
        parts.append(f"<h2>{i + 1}. {TITLES[(seed + i + 2) % len(TITLES)]}</h2>")
        for j in (3, 4):
            link = f"<a href=#>[{i + j}]</a>"
            parts.append(f"<p>{prose(5, seed=seed + 10 * i + j)} {link}</p>")
    return document(ARTICLE, f"{top}<main>{title}{''.join(parts)}</main>", dark=dark)


def docs(*, dark: bool) -> str:
    """Documentation of a library: a column of links, code in colours, a table and a note."""
    entries = ("Gauge", "Station", "mean()", "summary()", "read()", "errors")
    states = ("off", "off", "off", "on", "off", "off")
    links = "".join(f"<div class={s}>{e}</div>" for s, e in zip(states, entries, strict=True))
    nav = (
        f"<nav>{symbol('file')} <b style='display:inline'>rivers 2.4</b><b>GUIDE</b>"
        f"<div>Install</div><div>First steps</div><b>REFERENCE</b>{links}</nav>"
    )
    names = (
        ("gauge", "Gauge", "where readings come from"),
        ("days", "int", "how far back, 1 to 366"),
        ("unit", "str", "one of <code>m</code>, <code>ft</code>"),
    )
    cells = (f"<td><code>{a}</code></td><td class=mono>{b}</td><td>{c}</td>" for a, b, c in names)
    rows = "".join(f"<tr>{row}</tr>" for row in cells)
    points = "".join(f"<li>{prose(1, seed=36 + i)}</li>" for i in range(5))
    body = (
        f"<h1>summary()</h1><p>{prose(3, seed=31)}</p><pre>{highlighted(SAMPLE)}</pre>"
        f"<h2>Arguments</h2><table><tr><th>name<th>type<th>what</tr>{rows}</table>"
        f"<h2>Notes</h2><p class=note>{symbol('bell')} {prose(2, seed=33)}</p>"
        f"<p>{prose(4, seed=34)}</p>"
        "<h2>Command</h2><pre>$ <span class=f>rivers</span> summary --days <span "
        "class=n>30</span> "
        "<span class=s>'North Bank'</span>\nmean 2.41 m   max 5.02 m   min 0.25 m</pre>"
        f"<p>{prose(5, seed=35)}</p><h2>An example</h2><pre>{highlighted(OTHER)}</pre>"
        f"<h2>History</h2><ul>{points}</ul>"
    )
    return document(DOCS, f"<div class=page>{nav}<article>{body}</article></div>", dark=dark)


def slide() -> str:
    """A slide with large letters, a gradient behind everything and a plot."""
    heights = (70, 120, 96, 170, 210, 188, 250)
    bars = "".join(
        f'<rect x="{x}" y="{300 - h}" width="38" height="{h}" rx="6" style="--hue:{x / 3 + 187}"/>'
        for x, h in zip(range(40, 460, 60), heights, strict=True)
    )
    curve = '<path class=curve d="M59 220C140 120 220 190 290 90S400 60 440 40"/>'
    points = "".join(
        f"<li>{text}</li>"
        for text in (
            "Seven valleys, one gauge each",
            "Levels doubled since 1911",
            "Bridges hum at 14 m/s",
            "What to rebuild first",
        )
    )
    ground = '<path d="M30 300H460" stroke="#fff"/>'
    plot = f'<svg class=plot viewBox="0 0 480 330">{bars}{curve}{ground}</svg>'
    title = "<h1>How the water rose,<br>and what it took</h1>"
    foot = "<footer><span>Rivers &amp; Roads · spring meeting</span><span>12 / 38</span></footer>"
    return document(
        SLIDE,
        f"{title}<div class=two><ul>{points}</ul>{plot}</div>{foot}",
    )


def shop(photo: Path | None) -> str:
    """A shop's page with a photograph, prices, stars and reviews."""
    large, small = data_uri(photo, (560, 374)), data_uri(photo, (84, 56))
    header = (
        "<header class=row><span class=brand>Orchard &amp; Row</span>"
        f"<span class='find grow'>{symbol('search')} Search 2,318 "
        f"prints</span>{symbol('user')} {symbol('cart')} <b>3</b></header>"
    )
    thumbs = "".join(
        f'<img src="{small}" style="filter:{change}">'
        for change in ("none", "sepia(1)", "grayscale(1)", "hue-rotate(160deg)", "invert(1)")
    )
    swatches = "".join(
        f'<span class=swatch style="background:{colour}"></span>'
        for colour in ("#3b2a1e", "#c9a36a", "#eeeeee", "#7d8a78", "#22252b")
    )
    side = (
        "<div><span class=tag>In stock</span><h1>Perched bird, framed print, 60 × 40 cm</h1>"
        "<p class=stars>★★★★☆ <span class='small faint'>4.3 (127 reviews)</span></p>"
        f"<p class=price>£48.50 <s>£62.00</s></p><p>{prose(3, seed=41)}</p>"
        f"<p class=row style='margin:14px 0'>Frame {swatches}</p>"
        f"<p class=row><span class=button>1 {symbol('down')}</span>"
        f"<span class='button main'>{symbol('cart')} Add to basket</span>{symbol('star')}</p>"
        "</div>"
    )
    reviews = "".join(
        (
            f"<div class=card><div class=row>{face(NAMES[i])}<div><b>{NAMES[i]}</b>"
            f"<div class='stars small'>{'★' * (5 - i)}{'☆' * i}</div></div></div>"
            f"<p class=small>{prose(2, seed=44 + i)}</p></div>"
        )
        for i in range(3)
    )
    return document(
        SHOP,
        (
            f'{header}<main><div><img class=large src="{large}">'
            f'<div class="row thumbs" style="margin-top:10px">{thumbs}</div>'
            f"</div>{side}<div class=more>{reviews}</div></main>"
        ),
    )


def log_in() -> str:
    """A form on a card over a gradient."""
    body = (
        f"<div class=card><div class=logo>{symbol('lock')}</div><h1>Welcome back</h1>"
        "<label>E-mail</label><div class='field on'>ada.merrow@example.org</div>"
        "<label>Password</label><div class=field>•••••••••••</div>"
        f"<div class='row small'>{symbol('tick')} Keep me logged in<span class=grow></span>"
        "<span style='color:var(--accent)'>Forgotten?</span></div>"
        "<span class='button main'>Log in</span><p class='small faint' "
        "style='text-align:center'>No account yet? <b>Create one</b></p></div>"
    )
    return document(LOG_IN, body)


def pages(photo: Path | None) -> list[Page]:
    """All of this sort, light and dark."""
    return [
        Page("article", (1000, 1800), partial(article, 1, dark=False)),
        Page("article-dark", (900, 1205), partial(article, 4, dark=True)),
        Page("docs", (1100, 1300), partial(docs, dark=False)),
        Page("docs-dark", (1013, 1157), partial(docs, dark=True)),
        Page("slide", (1280, 720), slide),
        Page("shop", (1200, 800), partial(shop, photo)),
        Page("log-in", (800, 600), log_in),
    ]
