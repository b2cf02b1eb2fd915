"use strict";
// What both reports share: colours from the page's style, charts drawn when they come into view, and drawn again when the theme changes.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const NUMBERS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });
const count = (n) => n.toLocaleString("en-US");
const percent = (x, digits = 2) => (x === null ? "n/a" : `${x > 0 ? "+" : ""}${(100 * x).toFixed(digits)} %`);
const plural = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;
const stamp = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
// Plotly reads some markup in its texts: names from data must stay what they are
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function colours() {
  const style = getComputedStyle(document.documentElement);
  const found = {};
  for (const name of ["page", "panel", "text", "soft", "line", "grid", "accent", "held", "up", "down", "mark"]) {
    found[name] = style.getPropertyValue(`--${name}`).trim();
  }
  return found;
}

const clear = (colour, share) => `${colour}${Math.round(255 * share).toString(16).padStart(2, "0")}`;
const tinted = (text, colour) => `<span style="color:${colour}">${text}</span>`; // a legend inside a title
const mixed = (one, other, share) => {
  const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const a = parts(one), b = parts(other);
  return `rgb(${a.map((x, i) => Math.round(share * x + (1 - share) * b[i])).join(",")})`;
};
const narrow = () => window.innerWidth < 600;
const axis = (c, more = {}) => ({
  gridcolor: c.grid, zerolinecolor: c.line, linecolor: c.line, tickfont: { color: c.soft, size: 11 }, automargin: true, ...more,
  ...(more.title ? { title: { text: more.title, font: { size: 12, color: c.soft }, standoff: 8 } } : {}),
});

function layout(c, more = {}) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: narrow() ? false : "zoom", hovermode: "x unified",
    font: { family: getComputedStyle(document.body).fontFamily, color: c.text, size: 12 },
    margin: { l: 8, r: 8, t: more.title ? 36 : 14, b: 28 }, showlegend: false,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { color: c.soft } },
    hoverlabel: { bgcolor: c.panel, bordercolor: c.line, font: { color: c.text, size: 12 } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: c.held, activecolor: c.accent },
    ...more,
    ...(more.title ? { title: { text: more.title, font: { size: 14, color: c.text }, x: 0, xanchor: "left", xref: "container", pad: { l: 8 } } } : {}),
  };
}

// the buttons are listed, so that none of Plotly's own which sends data somewhere is ever there
const CONFIG = { responsive: true, displaylogo: false, showTips: false, plotlyServerURL: "", modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]] };
const drawn = new Map();
const builders = new Map();

function draw(id) {
  const element = byId(id);
  const { traces, shape } = builders.get(id)(colours());
  const done = Plotly.react(element, traces, shape, { ...CONFIG, displayModeBar: !narrow() && element.classList.contains("tall") });
  drawn.set(id, true);
  return done;
}

// `build(colours)` gives traces and layout; `ready(element)` is called once, after the first drawing
function chart(id, build, ready) {
  const element = byId(id);
  if (!element) return;
  builders.set(id, build);
  const first = () => draw(id).then(() => ready && ready(element));
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    first();
  }, { rootMargin: "300px" });
  observer.observe(element);
}

const redraw = (id) => drawn.has(id) && draw(id);
const redrawAll = () => drawn.forEach((_, id) => draw(id));

// `signed`: losses and gains have their own colours
function histogram(id, one, title, unit, { signed = false, marks = [] } = {}) {
  chart(id, (c) => {
    const centres = one.counts.map((_, i) => (one.edges[i] + one.edges[i + 1]) / 2);
    const widths = one.counts.map((_, i) => one.edges[i + 1] - one.edges[i]);
    const scale = unit === "%" ? 100 : 1;
    return {
      traces: [{
        type: "bar", x: centres.map((x) => scale * x), y: one.counts, width: widths.map((x) => scale * x),
        marker: { color: centres.map((x) => (!signed ? c.accent : x < 0 ? c.down : c.up)), line: { width: 0 } },
        hovertemplate: `%{x:.3g}${unit ? " " + unit : ""}: %{y:,}<extra></extra>`,
      }],
      shape: layout(c, {
        title: plain(title), hovermode: "closest", bargap: 0.05, xaxis: axis(c, { ticksuffix: unit ? ` ${unit}` : "" }), yaxis: axis(c),
        shapes: marks.map((mark) => ({ type: "line", x0: mark.x, x1: mark.x, yref: "paper", y0: 0, y1: 1, line: { color: c[mark.colour], width: 1.5, dash: mark.dash || "solid" } })),
        annotations: marks.map((mark, i) => ({ x: mark.x, yref: "paper", y: 1 - 0.1 * i, text: plain(mark.text), showarrow: false, xanchor: mark.anchor || "left", xshift: mark.anchor === "right" ? -4 : 4, font: { size: 11, color: c[mark.colour] } })),
      }),
    };
  });
}

function theme() {
  const root = document.documentElement, button = byId("theme");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Use the ${dark() ? "light" : "dark"} theme`); };
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); redrawAll(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { name(); redrawAll(); });
  name();
}

function copying() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const code = button.parentElement.querySelector("code");
    const done = () => { const text = button.textContent; button.textContent = "Copied"; setTimeout(() => { button.textContent = text; }, 1500); };
    const select = () => { code.style.display = "inline"; getSelection().selectAllChildren(code); }; // where the clipboard is not allowed
    if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, select); else select();
  });
}

theme();
copying();
