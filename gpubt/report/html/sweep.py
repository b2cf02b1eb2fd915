"""The report of a sweep: aggregates of its rows, never the rows themselves."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gpubt.metrics.definitions import DEFINITIONS, FRACTION
from gpubt.report.html.levels import histogram
from gpubt.report.html.page import COPY, chart, esc, listed, page, section, table
from gpubt.report.html.run import defined
from gpubt.report.html.surfaces import groups, surfaces
from gpubt.report.numbers import NONE, number, percent
from gpubt.report.top import SHOWN, replay, setting, written
from gpubt.sweep.chance import Chance, by_chance
from gpubt.sweep.neighbours import stability
from gpubt.sweep.ranking import BEST, HIGH
from gpubt.sweep.reading import Results, read_sweep
from gpubt.sweep.top import Top, best

MOST_AXES = 6  # with surfaces: those that explain most
SURFACES = 4  # figures with surfaces
SLICES = 5  # of the best sets
ROWS = 20  # of the table
CLOUD = 1_000  # best sets, and as many evenly chosen, beside their neighbours


def sweep_page(folder: Path, *, by: str = "sharpe_ratio", symbol: str | None = None, partial: bool = False) -> str:
    """The page of the sweep in `folder`, judged by the figure `by`. Raises InputError for a folder that is none of a finished sweep (with
    `partial` of any), ConfigError for a figure or a symbol that it does not have, DataError for broken files."""
    results = read_sweep(folder, symbol=symbol, partial=partial)
    top, order = best(results, by, ROWS, None)
    chance = by_chance(results)
    figures = list(dict.fromkeys([top.by, *(name for name in SHOWN if name in results.figures)]))
    title = f"Sweep of {top.sets:,} sets on {top.symbol}"
    so_far = f" of {top.of:,} so far" if top.partial else ""
    about = f"{len(results.keys)} axes{so_far}" + (f", {top.bars:,} bars" if top.bars is not None else "")
    data = {
        "by": top.by,
        "figures": {name: {"label": label(name), "unit": "%" if is_fraction(name) else ""} for name in figures},
        "histograms": _histograms(results, figures, top),
        "cloud": _cloud(results, top, order),
        "chance": None if chance is None else {"expected": chance.expected, "best": chance.best},
        **_surfaces(results, top, figures, order),
    }
    return page(title, esc(about), list(_sections(results, top, chance, len(data["axes"]))), data, ["sweep.js"])


def label(name: str) -> str:
    """A figure as people call it."""
    return DEFINITIONS[name].label if name in DEFINITIONS else name


def is_fraction(name: str) -> bool:
    """Whether it is shown in percent."""
    return name in DEFINITIONS and DEFINITIONS[name].unit == FRACTION


def _histograms(results: Results, figures: list[str], top: Top) -> list[dict[str, Any]]:
    first = top.rows[0]["figures"]
    return [{"name": name, **histogram(results.numbers(name)), "best": first[name]} for name in figures]


def _surfaces(results: Results, top: Top, figures: list[str], order: Any) -> dict[str, Any]:
    varied = [axis for axis in results.axes if len(np.unique(axis.codes)) > 1] or list(results.axes[:1])
    varied.sort(key=lambda axis: -top.importance.get(axis.key, 0.0))
    shown = [groups(results, axis, top.short[axis.key]) for axis in varied[:MOST_AXES]]
    through = order[:SLICES].tolist()
    return {
        "axes": [{"name": axis.name, "labels": axis.labels} for axis in shown],
        "surfaces": surfaces(results, shown, figures[:SURFACES], through),
        "through": [int(results.sets[row]) for row in through],
    }


def _cloud(results: Results, top: Top, order: Any) -> dict[str, Any]:
    """Sets beside their neighbours: the best, and others evenly chosen by rank."""
    values = results.numbers(top.by)
    order = order[np.isfinite(values[order])]
    rows = np.unique(np.concatenate([order[:CLOUD], order[np.linspace(0, max(0, len(order) - 1), CLOUD).astype(np.int64)[: len(order)]]]))
    if not len(rows):
        return {"set": [], "own": [], "mean": [], "shape": [], "of": 0}
    near = stability(results.axes, values, rows, high=BEST[top.by] == HIGH)
    kept = np.flatnonzero(near.count > 0)
    shape = [near.shape[i] for i in kept.tolist()]
    return {
        "set": listed(results.sets[rows[kept]]),
        "own": listed(values[rows[kept]], 5),
        "mean": listed(near.mean[kept], 5),
        "shape": shape,
        "of": len(order),
    }


def _sections(results: Results, top: Top, chance: Chance | None, shown_axes: int) -> Iterator[tuple[str, str, str]]:
    for name, title, body, about in (
        ("best", "Best sets", _table(top), _best_about(top)),
        ("surface", "Over two axes", SURFACE, _surface_about(results, shown_axes)),
        ("plateau", "Plateau or spike", *_plateau(top)),
        ("chance", "By chance alone", *_chance(chance)),
        (
            "distributions",
            "Distributions",
            '<div class="pair" id="histograms"></div>',
            "Over all sets; the line is the best set of the table.",
        ),
        (
            "importance",
            "What matters",
            _importance(top),
            f"Share of the variance of {esc(label(top.by))} that an axis explains alone (Sobol 1993).",
        ),
        ("again", "Make it again", _again(results, top), ""),
    ):
        yield name, title, section(name, title, body, about)


def _best_about(top: Top) -> str:
    spread = ", ".join(f"{name} {written(top.by, value)}" for name, value in top.spread.items())
    lacking = f"; {top.lacking:,} sets without it" if top.lacking else ""
    return esc(f"By {label(top.by)}, {top.better} is better: {spread}{lacking}. ") + (
        "Neighbours are one step away on one numeric axis; the best of many sets is partly luck, and a plateau is less so."
    )


def _table(top: Top) -> str:
    names = list(dict.fromkeys([top.by, *(name for name in SHOWN if name in top.rows[0]["figures"])]))
    head = [
        "Set",
        *(esc(name) for name in top.short.values()),
        *(defined(name) for name in names),
        "neighbours",
        "shape",
        "replay",
    ]
    folder = shlex.quote(str(top.folder))
    rows = (
        [
            str(row["set"]),
            *(esc(setting(row["axes"][key])) for key in top.short),
            *(written(name, row["figures"][name]) for name in names),
            written(top.by, row["neighbours"]["mean"]),
            esc(row["neighbours"]["shape"] or NONE),
            f'<span class="replay"><code>gpubt replay {esc(folder)} --row {row["set"]}</code>{COPY}</span>',
        ]
        for row in top.rows
    )
    return table(head, rows, "figures wide") + f'<p class="about">Alone, as a run: <code>{esc(replay(top))}</code> is the first.</p>'


SURFACE = f"""<div class="bar"><label>Across <select id="x-axis"></select></label><label>Up <select id="y-axis"></select></label>
<label>Figure <select id="figure"></select></label><label>Other axes <select id="rest"></select></label></div>
{chart("surface-chart", "A figure over two axes", "tall")}<p class="level" id="surface-level" aria-live="polite"></p>"""


def _surface_about(results: Results, shown: int) -> str:
    some = f" of the {shown} that explain most, of {len(results.keys)}" if shown < len(results.keys) else ""
    return f"Any two axes{some}; the others are aggregated over all their values, or held at those of one of the best sets."


def _plateau(top: Top) -> tuple[str, str]:
    if not any(row["neighbours"]["count"] for row in top.rows):
        why = "draws seldom lie one step apart" if top.sampled else "no set differs by one step of one numeric axis"
        return f'<p class="note">No neighbours: {why}.</p>', ""
    about = (
        "Each point is a set: its own figure, and the mean of its neighbours. Near the line they agree; far from it, the set is a spike."
    )
    return chart("cloud-chart", "Sets beside the mean of their neighbours", "tall"), about


def _chance(chance: Chance | None) -> tuple[str, str]:
    if chance is None:
        return (
            '<p class="note">It can\'t be told: rows have no sums of returns by block, or fewer than two sets have a Sharpe ratio.</p>',
            "",
        )
    verdict = (
        "The best set is below what luck alone is expected to give."
        if chance.best <= chance.expected
        else "The best set is above what luck alone is expected to give; the probability says how far."
    )
    rows = [
        ("Sets with a Sharpe ratio", f"{chance.sets:,}"),
        ("Mean correlation of their returns, over blocks of periods", number(chance.correlation, 3)),
        ("Independent sets that makes", number(chance.independent, 0)),
        ("Standard deviation of the Sharpe ratios", number(chance.spread, 3)),
        ("Best expected without any skill", f"<b>{number(chance.expected)}</b>"),
        ("Best found", f"<b>{number(chance.best)}</b>"),
        ("Return periods", f"{chance.periods:,}" if chance.periods else NONE),
        ("Deflated Sharpe ratio: probability that the best is more than luck", percent(chance.probability, 1, sign=False)),
    ]
    formula = (
        "Expected best of N independent sets with true ratio 0: s ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e))), with s the standard deviation "
        "of the ratios, g Euler's constant, z the normal quantile; N = r + (1 - r) M for M sets with mean correlation r. Deflated ratio: "
        "Phi((SR - SR0) sqrt(T - 1) / sqrt(1 + SR^2 / 2)), of one period, returns taken as normal. "
        "Bailey and Lopez de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40, 2014."
    )
    return table(("What", "Ratios a year"), rows, "pairs") + f'<p class="about formula">{esc(formula)}</p>', verdict


def _importance(top: Top) -> str:
    if not top.importance:
        return f'<p class="note">{esc(label(top.by))} does not vary over these sets.</p>'
    shares = sorted(top.importance.items(), key=lambda item: -item[1])
    bar = '<span class="meter" style="--share:{:.1f}%"></span>'
    rows = [[esc(top.short[key]), percent(share, 1, sign=False), bar.format(100 * share)] for key, share in shares]
    if (rest := 1.0 - sum(top.importance.values())) >= 0.0:
        rows.append(["interactions of axes", percent(rest, 1, sign=False), bar.format(100 * rest)])
    return table(("Axis", "Share", ""), rows, "phases")


def _again(results: Results, top: Top) -> str:
    about = results.about
    command = shlex.join(["gpubt", "sweep", *map(str, about.get("overrides", []))])
    facts = [(str(about[name]), name.replace("_", " ")) for name in ("config_digest", "kernels_digest") if name in about]
    if digest := about.get("data", {}).get(results.symbol, {}).get("digest"):
        facts.append((str(digest), "data digest"))
    return (
        f'<div class="command"><code>{esc(command)}</code>{COPY}</div>'
        + table(("SHA-256", "of"), ((f"<code>{esc(value)}</code>", esc(name)) for value, name in facts), "digests")
        + f'<p class="about">{esc(_how(about))}</p>'
    )


def _how(about: Mapping[str, Any]) -> str:
    condition = f", where {about['where']}" if about.get("where") else ""
    return f"Method: {about.get('method')}{condition}; backend {about.get('backend')}."
