// Prices: the whole run in candles of as many bars as fit, and the bars around one trade.
const SHOWN = 800; // candles on the screen at most
const bars = data.bars, trades = data.trades;
let view = null; // [first, last] time on the screen, null: all
let chosen = 0;

const candle = (c, more) => ({
  type: "candlestick", increasing: { line: { color: c.up, width: 1 }, fillcolor: c.up }, decreasing: { line: { color: c.down, width: 1 }, fillcolor: c.down },
  showlegend: false, ...more,
});
const entered = (trade) => trade.window.time[trade.window.bar.indexOf(trade.entry_bar)];
const colourOf = (c, trade) => (trade.pnl > 0 ? c.up : c.down);

// candles of `step` embedded ones, none of whose extremes is lost
function level() {
  const t = bars.time;
  let from = 0, to = t.length;
  if (view) {
    while (from < to && t[from] < view[0]) from += 1;
    while (to > from && t[to - 1] > view[1]) to -= 1;
    from = Math.max(0, from - 1);
    to = Math.min(t.length, to + 1);
  }
  const step = Math.max(1, Math.ceil((to - from) / (narrow() ? SHOWN / 3 : SHOWN)));
  const out = { x: [], open: [], high: [], low: [], close: [], step };
  for (let i = from; i < to; i += step) {
    const end = Math.min(to, i + step);
    let high = bars.h[i], low = bars.l[i];
    for (let j = i + 1; j < end; j += 1) { high = Math.max(high, bars.h[j]); low = Math.min(low, bars.l[j]); }
    out.x.push(t[i]); out.open.push(bars.o[i]); out.high.push(high); out.low.push(low); out.close.push(bars.c[end - 1]);
  }
  return out;
}

function barsChart(c) {
  const { step, ...prices } = level();
  const size = step * bars.size;
  byId("level").textContent = `Level shown: ${plural(prices.x.length, "candle")} of ${plural(size, "bar")} each, with their extremes` +
    `; the page holds ${count(bars.time.length)} candles of ${plural(bars.size, "bar")} for ${count(bars.bars)} bars. ${view ? "Double-click for all." : "Zoom in for finer ones."}`;
  const seen = trades.map((_, i) => i).filter((i) => !view || (entered(trades[i]) >= view[0] && entered(trades[i]) <= view[1]));
  const each = (value) => seen.map((i) => value(trades[i], i));
  const entries = {
    type: "scatter", mode: "markers", name: "trade", x: each(entered), y: each((t) => (t.fills.length ? t.fills[0].price : t.window.c[t.window.bar.indexOf(t.entry_bar)])),
    customdata: each((t, i) => [t.position, t.side, percent(t.share), i]), hovertemplate: "trade %{customdata[0]}, %{customdata[1]}: %{customdata[2]}<extra></extra>",
    marker: {
      symbol: each((t) => (t.side === "long" ? "triangle-up" : "triangle-down")), size: each((_, i) => (i === chosen ? 14 : 9)), color: each((t) => colourOf(c, t)),
      line: { color: each((_, i) => (i === chosen ? c.text : c.panel)), width: each((_, i) => (i === chosen ? 2 : 1)) },
    },
  };
  return {
    traces: [candle(c, { ...prices, name: "price" }), entries],
    shape: layout(c, { hovermode: "closest", uirevision: "bars", margin: { l: 8, r: 8, t: 30, b: 28 }, xaxis: axis(c, { type: "date", rangeslider: { visible: false }, ...(view ? { range: view.map((t) => new Date(t).toISOString()) } : {}) }), yaxis: axis(c, { title: "price", fixedrange: false }) }),
  };
}

function follow(element) {
  let waiting = null;
  element.on("plotly_relayout", (change) => {
    const range = change["xaxis.range"] || (change["xaxis.range[0]"] !== undefined ? [change["xaxis.range[0]"], change["xaxis.range[1]"]] : null);
    if (!range && !change["xaxis.autorange"]) return;
    const utc = (text) => (typeof text === "number" ? text : Date.parse(`${String(text).replace(" ", "T")}${/[zZ]$/.test(text) ? "" : "Z"}`));
    view = range ? range.map(utc) : null;
    clearTimeout(waiting);
    waiting = setTimeout(() => draw("bars-chart"), 60);
  });
  element.on("plotly_click", (event) => {
    const point = event.points.find((one) => one.customdata);
    if (point) choose(point.customdata[3]);
  });
}

function tradeChart(c) {
  const trade = trades[chosen], w = trade.window;
  const whole = w.bar.length === w.bar[w.bar.length - 1] - w.bar[0] + 1;
  const x = w.bar.map((_, i) => i), at = new Map(w.bar.map((bar, i) => [bar, i]));
  const place = (bar) => at.get(bar);
  const enter = place(trade.entry_bar), leave = place(trade.exit_bar);
  const levels = trade.stops.filter((level) => level !== null), moves = levels.some((level) => level !== levels[0]);
  const stop = {
    type: "scatter", mode: levels.length > 1 ? "lines" : "markers", name: "stop", x, y: trade.stops, connectgaps: false, hovertemplate: "stop %{y:,}<extra></extra>",
    line: { color: c.down, width: 1.5, dash: moves ? "solid" : "dash", shape: "hvh" }, marker: { symbol: "line-ew", size: 14, line: { color: c.down, width: 2 } },
  };
  const flat = (price, colour, name) => ({ type: "scatter", mode: "lines", name, x: [enter - 0.5, leave + 0.5], y: [price, price], line: { color: colour, width: 1.5, dash: "dash" }, hovertemplate: `${name} %{y:,}<extra></extra>` });
  const fills = trade.fills.filter((fill) => at.has(fill.bar));
  const away = trade.side === "long" ? 1 : -1;
  const symbol = (fill) => ((fill.what === "entry" ? away : -away) > 0 ? "triangle-up" : "triangle-down");
  const every = Math.max(1, Math.ceil(x.length / (narrow() ? 3 : 5))), ticks = x.filter((i) => i % every === 0);
  const gap = w.bar.findIndex((bar, i) => i > 0 && bar !== w.bar[i - 1] + 1);
  byId("trade-level").textContent = whole ? `Level shown: every bar, ${count(w.bar.length)} of them.` :
    `Level shown: every bar around entry and exit; ${count(w.bar[gap] - w.bar[gap - 1] - 1)} bars between them (at the dotted line) are not in the page.`;
  return {
    traces: [
      candle(c, { x, open: w.o, high: w.h, low: w.l, close: w.c, text: w.time.map((t, i) => `${stamp(t)}, bar ${w.bar[i]}`), name: "" }),
      ...(trade.stops.length ? [stop] : []),
      ...trade.targets.map((target) => flat(target, c.up, "target")),
      {
        type: "scatter", mode: "markers", x: fills.map((fill) => place(fill.bar)), y: fills.map((fill) => fill.price), text: fills.map((fill) => plain(fill.what)), hovertemplate: "%{text} %{y:,}<extra></extra>",
        marker: { symbol: fills.map(symbol), size: 13, color: fills.map((fill) => (fill.what === "entry" ? c.accent : colourOf(c, trade))), line: { color: c.text, width: 1 } },
      },
    ],
    shape: layout(c, {
      hovermode: "closest", margin: { l: 8, r: 8, t: 8, b: 28 },
      xaxis: axis(c, { rangeslider: { visible: false }, tickvals: ticks, ticktext: ticks.map((i) => stamp(w.time[i]).slice(narrow() ? 5 : 2)) }), yaxis: axis(c),
      shapes: gap > 0 ? [{ type: "line", x0: gap - 0.5, x1: gap - 0.5, yref: "paper", y0: 0, y1: 1, line: { color: c.soft, dash: "dot", width: 1 } }] : [],
    }),
  };
}

const row = (i) => byId("trade-list").tBodies[0].rows[i];

function choose(i, quiet) {
  row(chosen).setAttribute("aria-selected", "false");
  chosen = i;
  const trade = trades[i];
  row(i).setAttribute("aria-selected", "true");
  const list = row(i).closest(".list");
  if (!quiet) list.scrollTop = row(i).offsetTop - list.clientHeight / 2;
  byId("previous").disabled = i === 0;
  byId("next").disabled = i === trades.length - 1;
  byId("trade-title").textContent = `Trade ${trade.position}, ${trade.side}, ${percent(trade.share)}, ${i + 1} of ${trades.length}`;
  byId("events").replaceChildren(...trade.events.map((event) => {
    const item = document.createElement("li"), rule = document.createElement("small");
    item.textContent = event.bar === null ? event.text : `Bar ${count(event.bar)}: ${event.text}`;
    rule.textContent = event.rule;
    item.append(rule);
    return item;
  }));
  redraw("trade-chart");
  redraw("bars-chart");
}

function fillList() {
  const body = byId("trade-list").tBodies[0];
  trades.forEach((trade, i) => {
    const cells = body.insertRow(), button = document.createElement("button");
    button.type = "button";
    button.textContent = trade.position;
    button.setAttribute("aria-label", `Show trade ${trade.position}`);
    cells.insertCell().append(button);
    for (const text of [trade.side, stamp(entered(trade)), count(trade.bars_held), percent(trade.share), trade.reason.replace(/_/g, " ")]) cells.insertCell().textContent = text;
    cells.cells[4].className = trade.pnl > 0 ? "up-text" : "down-text";
    cells.addEventListener("click", () => choose(i, true));
  });
}

if (bars && trades.length) {
  fillList();
  const step = (by) => { const next = chosen + by; if (next >= 0 && next < trades.length) choose(next); };
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  document.querySelector(".trade").addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowUp") { step(-1); event.preventDefault(); }
    if (event.key === "ArrowRight" || event.key === "ArrowDown") { step(1); event.preventDefault(); }
  });
  choose(0, true);
  chart("bars-chart", barsChart, follow);
  chart("trade-chart", tradeChart);
}
