// The charts of a sweep.
const AGGREGATES = { mean: "mean of all", highest: "highest of all", lowest: "lowest of all" };
const finest = data.axes.map((_, i) => i).sort((a, b) => data.axes[b].labels.length - data.axes[a].labels.length);
const picked = { x: finest[0], y: finest.length > 1 ? finest[1] : null, figure: data.by, rest: "mean" };
const scaleOf = (name) => (data.figures[name].unit === "%" ? 100 : 1);
const labelOf = (name) => data.figures[name].label;

function options(id, entries, value) {
  const select = byId(id);
  select.replaceChildren(...entries.map(([key, text]) => new Option(text, key, false, String(key) === String(value))));
  return select;
}

// the values over the two axes as rows of the second one, whichever way round they are stored
function matrix() {
  const wanted = picked.y === null ? [picked.x] : [picked.x, picked.y];
  const surface = data.surfaces.find((one) => one.axes.length === wanted.length && wanted.every((axis) => one.axes.includes(axis)));
  const through = picked.rest.startsWith("set:") ? Number(picked.rest.slice(4)) : null;
  const flat = through === null ? surface.figures[picked.figure][picked.rest] : surface.slices[through];
  const inner = wanted.length < 2 ? 1 : data.axes[surface.axes[1]].labels.length;
  const swapped = surface.axes[0] !== picked.x;
  const scale = scaleOf(picked.figure);
  const value = (x, y) => { const one = swapped ? flat[y * inner + x] : flat[x * inner + y]; return one === null ? null : scale * one; };
  const columns = data.axes[picked.x].labels.length, rows = picked.y === null ? 1 : data.axes[picked.y].labels.length;
  return Array.from({ length: rows }, (_, y) => Array.from({ length: columns }, (_, x) => value(x, y)));
}

function surfaceChart(c) {
  const z = matrix(), x = data.axes[picked.x], unit = data.figures[picked.figure].unit;
  const values = z.flat().filter((one) => one !== null);
  const low = Math.min(...values), high = Math.max(...values), both = low < 0 && high > 0;
  const far = Math.max(Math.abs(low), Math.abs(high));
  byId("surface-level").textContent = `${count(values.length)} of ${count(z.flat().length)} cells have sets.`;
  const across = axis(c, { type: "category", title: plain(x.name), gridcolor: "rgba(0,0,0,0)", tickangle: "auto", nticks: narrow() ? 6 : 20 });
  if (picked.y === null) {
    return {
      traces: [{ type: "scatter", mode: "lines+markers", x: x.labels.map(plain), y: z[0], line: { color: c.accent }, hovertemplate: `%{x}: %{y:.4g} ${unit}<extra></extra>` }],
      shape: layout(c, { hovermode: "closest", xaxis: across, yaxis: axis(c, { title: labelOf(picked.figure), ticksuffix: unit && ` ${unit}` }), margin: { l: 8, r: 8, t: 30, b: 40 } }),
    };
  }
  const y = data.axes[picked.y];
  const scale = both ? [[0, c.down], [0.5, c.panel], [1, c.up]] : high <= 0 ? [[0, c.down], [1, mixed(c.down, c.panel, 0.12)]] : [[0, mixed(c.accent, c.panel, 0.12)], [1, c.accent]];
  return {
    traces: [{
      type: "heatmap", z, x: x.labels.map(plain), y: y.labels.map(plain), colorscale: scale, zmin: both ? -far : low, zmax: both ? far : high, xgap: 1, ygap: 1,
      colorbar: { thickness: 10, outlinewidth: 0, tickfont: { color: c.soft, size: 11 }, ticksuffix: unit && ` ${unit}` }, hoverongaps: false,
      hovertemplate: `${plain(x.name)} %{x}, ${plain(y.name)} %{y}: %{z:.4g} ${unit}<extra></extra>`,
    }],
    shape: layout(c, { hovermode: "closest", xaxis: across, yaxis: axis(c, { type: "category", title: plain(y.name), gridcolor: "rgba(0,0,0,0)" }), margin: { l: 8, r: 8, t: 30, b: 40 } }),
  };
}

function choices() {
  const names = data.axes.map((one, i) => [i, one.name]);
  const measured = Object.keys(data.surfaces[0].figures);
  const rest = () => {
    const slices = picked.figure === data.by ? data.through.map((set, i) => [`set:${i}`, `as in set ${set}${i ? "" : " (best)"}`]) : [];
    if (picked.rest.startsWith("set:") && !slices.length) picked.rest = "mean";
    options("rest", [...Object.entries(AGGREGATES), ...slices], picked.rest);
  };
  const axes = () => {
    options("x-axis", names, picked.x);
    options("y-axis", names.length > 1 ? names.filter(([i]) => i !== picked.x) : [["", "no second axis"]], picked.y);
  };
  axes();
  options("figure", measured.map((name) => [name, labelOf(name)]), picked.figure);
  rest();
  byId("x-axis").addEventListener("change", (event) => {
    const before = picked.x;
    picked.x = Number(event.target.value);
    if (picked.x === picked.y) picked.y = before;
    axes();
    redraw("surface-chart");
  });
  byId("y-axis").addEventListener("change", (event) => { picked.y = Number(event.target.value); redraw("surface-chart"); });
  byId("figure").addEventListener("change", (event) => { picked.figure = event.target.value; rest(); redraw("surface-chart"); });
  byId("rest").addEventListener("change", (event) => { picked.rest = event.target.value; redraw("surface-chart"); });
}

function cloudChart(c) {
  const one = data.cloud, scale = scaleOf(data.by), unit = data.figures[data.by].unit;
  const tints = { plateau: c.up, slope: c.held, spike: c.down };
  const ends = [Math.min(...one.own, ...one.mean) * scale, Math.max(...one.own, ...one.mean) * scale];
  const part = (name) => {
    const rows = one.shape.map((_, i) => i).filter((i) => one.shape[i] === name);
    return {
      type: "scatter", mode: "markers", name, x: rows.map((i) => scale * one.own[i]), y: rows.map((i) => scale * one.mean[i]), customdata: rows.map((i) => one.set[i]),
      marker: { size: 5, color: tints[name], opacity: 0.65 }, hovertemplate: `set %{customdata}: %{x:.3f} ${unit}, neighbours %{y:.3f} ${unit}<extra></extra>`,
    };
  };
  const some = one.own.length < one.of ? `, ${count(one.own.length)} of ${count(one.of)} sets: the best, and others evenly by rank` : "";
  return {
    traces: [{ type: "scatter", mode: "lines", x: ends, y: ends, line: { color: c.line, width: 1 }, hoverinfo: "skip" }, ...["slope", "spike", "plateau"].map(part)],
    shape: layout(c, {
      title: `${tinted("plateau", c.up)}, ${tinted("slope", c.soft)}, ${tinted("spike", c.down)}${narrow() ? "" : some}`, hovermode: "closest",
      xaxis: axis(c, { title: `${labelOf(data.by)} of the set`, ticksuffix: unit && ` ${unit}` }), yaxis: axis(c, { title: "of its neighbours, mean", ticksuffix: unit && ` ${unit}` }), margin: { l: 8, r: 8, t: 36, b: 40 },
    }),
  };
}

if (data.surfaces.length) {
  choices();
  chart("surface-chart", surfaceChart);
}
if (data.cloud.own.length) chart("cloud-chart", cloudChart);
for (const one of data.histograms) {
  const id = `histogram-${one.name}`, scale = scaleOf(one.name), box = document.createElement("div");
  box.className = "chart";
  box.id = id;
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", `How often which ${labelOf(one.name)} occurs`);
  byId("histograms").append(box);
  const marks = one.best === null ? [] : [{ x: scale * one.best, text: "best set", colour: "mark", anchor: "right" }];
  if (one.name === "sharpe_ratio" && data.chance) marks.push({ x: data.chance.expected, text: "best by chance", colour: "text", dash: "dot", anchor: "right" });
  histogram(id, one, labelOf(one.name), data.figures[one.name].unit, { marks });
}
