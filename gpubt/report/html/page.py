"""One HTML file that needs nothing else: style, scripts, Plotly and data are inside, and the page may load nothing from elsewhere."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ASSETS = Path(__file__).parent / "assets"
COPY = '<button type="button" class="copy">Copy</button>'  # beside the code that it copies
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
# inside a script element only "<" can end it or begin a comment; JSON's own \u form is the same text to the reader
UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def esc(text: object) -> str:
    """Text as it stands in HTML, in attributes too."""
    return html.escape(str(text))


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: ASCII (U+2028 too is escaped), without the characters of markup; NaN is null."""
    from gpubt.records.arrow import plain

    text = json.dumps(plain(value), separators=(",", ":"), allow_nan=False)
    for character, escaped in UNSAFE.items():
        text = text.replace(character, escaped)
    return text


def listed(values: NDArray[Any], digits: int = 8) -> list[float | int | None]:
    """Numbers for JSON: whole ones as they are, others to `digits` significant ones; what is not finite is None."""
    if values.dtype.kind in "iub":
        return [int(value) for value in values.tolist()]
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values.tolist()]


def milliseconds(time: NDArray[np.int64]) -> list[float | int | None]:
    """Times in ns as the integers that browsers count in."""
    return listed(time // 1_000_000)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table; heads and cells are HTML already."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows)
    return f'<div class="scroll"><table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def section(name: str, title: str, body: str, about: str = "") -> str:
    """A part of the page; `about` and `body` are HTML already."""
    lead = f'<p class="about">{about}</p>' if about else ""
    return f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{esc(title)}</h2>{lead}{body}</section>'


def chart(name: str, label: str, kind: str = "") -> str:
    """Where the script draws `name`; `label` says to a screen reader what is there."""
    return f'<div class="chart {kind}" id="{name}" role="img" aria-label="{esc(label)}"></div>'


def page(title: str, subtitle: str, sections: Sequence[tuple[str, str, str]], data: Any, scripts: Sequence[str], lead: str = "") -> str:
    """The file. `sections` are (name, title, HTML) in order, `data` is what the `scripts` of assets/ read, `lead` is HTML below the
    title."""
    links = "".join(f'<a href="#{name}">{esc(text)}</a>' for name, text, _ in sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<title>{esc(title)}</title>
<link rel="icon" href="data:,">
<style>{_asset("report.css")}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header><div><h1>{esc(title)}</h1><p>{subtitle}</p></div><button id="theme" type="button" aria-live="polite">Theme</button></header>
<nav aria-label="Parts of the report">{links}</nav>
<main id="main">{lead}{"".join(body for _, _, body in sections)}</main>
<noscript><p class="note">The charts of this page need JavaScript; tables and text do not.</p></noscript>
<script type="application/json" id="data">{script_json(data)}</script>
<script>{_plotly()}</script>
<script>{"".join(_asset(name) for name in ("charts.js", *scripts))}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _plotly() -> str:
    """Plotly's own bundle, which must not end the script element early."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("</script", "<\\/script")
