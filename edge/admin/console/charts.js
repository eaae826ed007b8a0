// Pictures of numbers: a strip over time (uPlot), a gauge, bars. Colours come from the style sheet, so they follow it
// into the dark.

import uPlot from "./uplot.js";
import { h, s, fill } from "./dom.js";
import { clock, number, t } from "./words.js";

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// A strip over time. `series`: [{label, colour, fill?, dash?, step?, digits?}]. `.show(times, columns)` draws it anew.
export function strip(series, { height = 170, unit = "" } = {}) {
  const place = h("div.strip");
  let plot = null;
  let shown = null;
  const options = (width) => ({
    width, height,
    padding: [8, 26, 0, 0],
    cursor: { points: { size: 6 }, y: false, drag: { x: false, y: false } },
    legend: { live: true },
    scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(1, high * 1.15)] } },
    axes: [
      { stroke: colour("muted"), grid: { show: false }, ticks: { show: false }, font: "11px system-ui",
        values: (_, at) => at.map((one) => clock(one * 1000)),
        space: 90 },
      { stroke: colour("muted"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false },
        font: "11px system-ui", size: 46, values: (_, at) => at.map((one) => number(one, 1)) },
    ],
    series: [
      { label: t("Time"), value: (_, at) => (at === null ? "–" : clock(at * 1000)) },
      ...series.map((one) => ({
        label: one.label, stroke: colour(one.colour), width: one.dash ? 1.5 : 2, dash: one.dash,
        fill: one.fill ? `${colour(one.colour)}2a` : undefined,
        paths: one.step ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.spline(),
        points: { show: false },
        value: (_, value) => (value === null || value === undefined ? "–" : `${number(value, 1)}${unit}`),
      })),
    ],
  });
  const draw = () => {
    const width = place.clientWidth;
    if (!width || !shown) return;
    if (plot && plot.width === width) { plot.setData(shown); return; }
    if (plot) plot.destroy();
    plot = new uPlot(options(width), shown, place);
  };
  const watcher = new ResizeObserver(draw);
  watcher.observe(place);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const again = () => { if (plot) { plot.destroy(); plot = null; } draw(); };
  dark.addEventListener("change", again);
  document.addEventListener("themed", again);
  return {
    node: place,
    show(times, columns) { shown = [times, ...columns]; draw(); },
    stop() {
      watcher.disconnect();
      dark.removeEventListener("change", again);
      document.removeEventListener("themed", again);
      if (plot) plot.destroy();
    },
  };
}

// A half circle: how much of a ceiling is in use, with the marks of 80 % and 95 %.
export function gauge(label) {
  const track = s("path.gauge-track", { d: arc(0, 1) });
  const value = s("path.gauge-value", { d: arc(0, 0) });
  const marks = [0.8, 0.95].map((at) => {
    const [x1, y1] = point(at, 37);
    const [x2, y2] = point(at, 49);
    return s("line.gauge-mark", { x1, y1, x2, y2 });
  });
  const big = s("text.gauge-number", { x: 60, y: 55, "text-anchor": "middle" }, "–");
  const small = s("text.gauge-of", { x: 60, y: 69, "text-anchor": "middle" }, "");
  const picture = s("svg", { viewBox: "0 0 120 74", role: "img", "aria-label": label }, track, value, ...marks, big, small);
  const node = h("figure.gauge", picture, h("figcaption", label));
  return {
    node,
    show(now, ceiling, text = number(now, 1), of = `/ ${number(ceiling)}`) {
      const part = ceiling > 0 ? Math.min(1, now / ceiling) : now > 0 ? 1 : 0;
      value.setAttribute("d", arc(0, part));
      value.setAttribute("class", `gauge-value ${part >= 0.95 ? "bad" : part >= 0.8 ? "warn" : "good"}`);
      big.textContent = text;
      small.textContent = of;
      picture.setAttribute("aria-label", `${label}: ${text} ${of}`);
    },
  };
}

function point(part, radius) {
  const angle = Math.PI * (1 - part);
  return [60 + radius * Math.cos(angle), 58 - radius * Math.sin(angle)];
}

function arc(from, to) {
  const [x1, y1] = point(from, 43);
  const [x2, y2] = point(to, 43);
  return `M${x1.toFixed(2)} ${y1.toFixed(2)}A43 43 0 0 1 ${x2.toFixed(2)} ${y2.toFixed(2)}`;
}

// Rows of label, bar and number; the longest bar is the largest. `rows`: [[label, value, colour, href?]].
export function bars(place, rows, empty) {
  const most = Math.max(...rows.map((row) => row[1]), 1e-9);
  if (!rows.length) return fill(place, h("p.quiet", empty));
  return fill(place, rows.map(([label, value, name, href]) =>
    h("div.bar",
      href ? h("a.bar-label", { href }, label) : h("span.bar-label", label),
      s("svg.bar-line", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
        s(`rect.${name}`, { width: Math.max(1, (100 * value) / most), height: 8, rx: 1 })),
      h("span.bar-number", number(value, 1)))));
}
