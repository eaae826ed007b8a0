// Quality of an account: its hours against the contract's thresholds, and the penalties that came of them.

import { get, path, query } from "./api.js";
import { h, s, fill } from "./dom.js";
import { table } from "./page-overview.js";
import { instant, money, number, t } from "./words.js";

const METRICS = [
  { name: "asr", rule: "asr", title: "ASR", unit: 100 },
  { name: "ner", rule: "ner", title: "NER", unit: 100 },
  { name: "acd_ms", rule: "acd", title: "ACD", unit: 1000 },
  { name: "short_share", rule: "short", title: "Short calls", unit: 100 },
];
// `unit`: of a threshold (%, s) in those of the figures (hundredths of a percent, ms).

const HOURS = 24;

export function quality(app, id) {
  const hours = h("div");
  const ledger = h("tbody");
  const total = h("p.quiet");
  load().catch((problem) => fill(hours, h("p.fault", problem.message)));

  async function load() {
    const base = path`/v1/accounts/${id}`;
    const [found, penalties] = await Promise.all([get(`${base}/quality${query({ hours: HOURS })}`), get(`${base}/penalties`)]);
    fill(hours, found.hours.length ? METRICS.map((metric) => picture(metric, found)) : h("p.quiet", t("No calls in these hours.")));
    const entries = Array.isArray(penalties) ? penalties : penalties.items || penalties.entries || [];
    fill(ledger, entries.length ? entries.slice(0, 50).map((one) => h("tr",
      h("td.quiet", one.month), h("td", t(one.kind)), h("td", one.reference),
      h(one.amount_micros > 0 ? "td.bad" : "td", money(one.amount_micros, one.currency || "EUR")),
      h("td.quiet", one.is_candidate ? t("candidate") : one.corrects ? t("corrects number {n}", { n: one.corrects }) : one.why)))
      : h("tr", h("td.quiet", { colspan: 5 }, t("No penalties."))));
    fill(total, t("In all: {sum}", { sum: money(entries.reduce((sum, one) => sum + one.amount_micros, 0)) }));
  }

  return h("div.two",
    h("section.panel", h("h2", t("Quality by the hour")), hours),
    h("section.panel", h("h2", t("Penalties")), table([t("Month"), t("Kind"), t("Reference"), t("Amount"), t("Note")], ledger), total));
}

// One metric over the hours: a column each, the threshold as a line, hours that break it in red.
function picture(metric, found) {
  const shown = found.hours.slice(-HOURS);
  const values = shown.map((hour) => hour.figures[metric.name]);
  const known = values.filter((value) => value !== null);
  const last = known.length ? known[known.length - 1] : null;
  const rule = found.thresholds.find((one) => one.metric === metric.rule);
  const limit = rule ? rule.threshold * metric.unit : null;
  const top = Math.max(metric.unit === 100 ? 10000 : 1, (limit || 0) * 1.1, ...known.map((value) => value * 1.1));
  const width = 300 / HOURS;
  const first = HOURS - shown.length;
  const columns = values.map((value, at) => {
    if (value === null) return null;
    const high = Math.max(1, (44 * value) / top);
    const broken = shown[at].breaches.some((one) => one.metric === metric.rule);
    return s(`rect.${broken ? "bad" : "admitted"}`, { x: (first + at) * width + 0.8, y: 46 - high, width: Math.max(1, width - 1.6), height: high, rx: 1.5 },
      s("title", `${instant(shown[at].from_s * 1000)}: ${show(metric, value)}${broken ? ` – ${t("breach")}` : ""}`));
  });
  const line = limit === null ? null
    : s("line.gauge-mark", { x1: 0, x2: 300, y1: 46 - (44 * limit) / top, y2: 46 - (44 * limit) / top, "stroke-dasharray": "4 3" },
      s("title", t("threshold: {value}", { value: show(metric, limit) })));
  return h("div.bar",
    h("span.bar-label", t(metric.title), limit === null ? null : h("small", " ", t("threshold: {value}", { value: show(metric, limit) }))),
    s("svg", { viewBox: "0 0 300 48", preserveAspectRatio: "none", height: 48, role: "img", "aria-label": `${t(metric.title)}: ${show(metric, last)}` }, s("rect.empty", { y: 46, width: 300, height: 1.5 }), columns, line),
    h("span.bar-number", show(metric, last)));
}

function show(metric, value) {
  if (value === null || value === undefined) return "–";
  return metric.unit === 100 ? `${number(value / 100, 1)} %` : `${number(value / 1000, 0)} s`;
}
