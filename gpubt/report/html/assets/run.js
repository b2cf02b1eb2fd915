// The charts of a run.
const account = data.account;
let logScale = false;

function equityChart(c) {
  const line = (one, name, colour, width) => ({ type: "scatter", mode: "lines", x: one.time, y: one.value, name, line: { color: colour, width }, hovertemplate: "%{y:,.2f}" });
  const traces = [];
  if (account.held) traces.push(line(account.held, "buy and hold", c.held, 1.2));
  traces.push(line(account.equity, "strategy", c.accent, 1.6));
  traces.push({
    type: "scatter", mode: "lines", x: account.drawdown.time, y: account.drawdown.value, name: "drawdown", yaxis: "y2", fill: "tozeroy",
    fillcolor: clear(c.down, 0.18), line: { color: c.down, width: 1 }, hovertemplate: "%{y:.2%}", showlegend: false,
  });
  return {
    traces,
    shape: layout(c, {
      showlegend: true, margin: { l: 8, r: 8, t: 30, b: 28 },
      xaxis: axis(c, { type: "date", anchor: "y2" }),
      yaxis: axis(c, { domain: [0.34, 1], type: logScale ? "log" : "linear", title: "equity" }),
      yaxis2: axis(c, { domain: [0, 0.27], tickformat: ".0%", title: "drawdown" }),
    }),
  };
}

function yearsChart(c) {
  const rows = [...document.querySelectorAll(".heatmap tbody tr")];
  const x = rows.map((row) => row.querySelector("th").textContent);
  const y = rows.map((row) => Number(row.lastElementChild.textContent));
  return {
    traces: [{ type: "bar", x, y, marker: { color: y.map((value) => (value < 0 ? c.down : c.up)) }, hovertemplate: "%{x}: %{y:.1f} %<extra></extra>" }],
    shape: layout(c, { hovermode: "closest", bargap: x.length < 8 ? 0.7 : 0.35, xaxis: axis(c, { type: "category" }), yaxis: axis(c, { ticksuffix: " %" }) }),
  };
}

function rollingChart(c) {
  const one = data.rolling;
  const empty = one.value.length ? [] : [{ text: `fewer than ${one.window} returns`, showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5, font: { color: c.soft } }];
  return {
    traces: [{ type: "scatter", mode: "lines", x: one.time, y: one.value, line: { color: c.accent, width: 1.4 }, hovertemplate: "%{y:.2f}<extra></extra>" }],
    shape: layout(c, { title: `Sharpe ratio of the last ${one.window} returns`, xaxis: axis(c, { type: "date" }), yaxis: axis(c, { zeroline: true }), annotations: empty }),
  };
}

function excursionsChart(c) {
  const one = data.excursions;
  const some = one.share.length < one.of ? `, ${count(one.share.length)} of ${count(one.of)}` : "";
  const part = (name, colour, wanted) => {
    const rows = one.share.map((_, i) => i).filter((i) => wanted(one.share[i]));
    return {
      type: "scatter", mode: "markers", name, x: rows.map((i) => 100 * one.mae[i]), y: rows.map((i) => 100 * one.mfe[i]),
      customdata: rows.map((i) => [one.position[i], percent(one.share[i])]), marker: { size: 5, color: colour, opacity: 0.55 },
      hovertemplate: "trade %{customdata[0]}: %{customdata[1]}<br>worst %{x:.2f} %, best %{y:.2f} %<extra></extra>",
    };
  };
  return {
    traces: [part("losers", c.down, (x) => !(x > 0)), part("winners", c.up, (x) => x > 0)],
    shape: layout(c, {
      title: `Excursions of ${tinted("winners", c.up)} and ${tinted("losers", c.down)}${some}`, hovermode: "closest",
      xaxis: axis(c, { ticksuffix: " %", title: "worst (MAE)" }), yaxis: axis(c, { ticksuffix: " %", title: "best (MFE)" }), margin: { l: 8, r: 8, t: 36, b: 40 },
    }),
  };
}

function reasonsChart(c) {
  const rows = [...data.reasons].reverse();
  return {
    traces: [{
      type: "bar", orientation: "h", y: rows.map((row) => row.reason.replace(/_/g, " ")), x: rows.map((row) => row.count),
      marker: { color: c.accent }, text: rows.map((row) => `${count(row.count)}`), textposition: "auto", insidetextanchor: "end", cliponaxis: false,
      customdata: rows.map((row) => [NUMBERS.format(row.pnl), (100 * row.wins).toFixed(1)]),
      hovertemplate: "%{y}: %{x:,} trades<br>pnl %{customdata[0]}, %{customdata[1]} % winners<extra></extra>",
    }],
    shape: layout(c, { title: "Exit reasons", hovermode: "closest", bargap: 0.4, xaxis: axis(c), yaxis: axis(c, { type: "category" }) }),
  };
}

function exposureChart(c) {
  const one = data.exposure;
  const part = (name, colour) => ({ type: "bar", name, x: one.time, y: one[name], marker: { color: colour }, hovertemplate: `%{y:.1%} ${name}<extra></extra>` });
  return {
    traces: [part("long", c.up), part("short", c.down)],
    shape: layout(c, {
      title: `Exposure by month, ${tinted("long", c.up)} and ${tinted("short", c.down)}`, barmode: "stack", bargap: 0.1,
      xaxis: axis(c, { type: "date" }), yaxis: axis(c, { tickformat: ".0%" }),
    }),
  };
}

chart("equity-chart", equityChart);
chart("years-chart", yearsChart);
histogram("returns-chart", data.returns, "Distribution of returns", "%", { signed: true });
chart("rolling-chart", rollingChart);
histogram("results-chart", data.results, "Distribution of trade results", "%", { signed: true });
chart("excursions-chart", excursionsChart);
chart("reasons-chart", reasonsChart);
if (data.exposure) chart("exposure-chart", exposureChart);
byId("scale").addEventListener("click", (event) => {
  logScale = !logScale;
  event.target.setAttribute("aria-pressed", logScale);
  redraw("equity-chart");
});

