// Everything at one glance, live.

import { h, fill } from "./dom.js";
import { bars, strip } from "./charts.js";
import { listen } from "./live.js";
import { detail, instant, number, rate, span, t } from "./words.js";

export function overview(app) {
  const traffic = strip([
    { label: t("attempts"), colour: "calls", fill: false },
    { label: t("refused"), colour: "refused", fill: true },
  ], { unit: "/s" });
  const held = strip([{ label: t("concurrent calls"), colour: "admitted", fill: true }]);
  app.ends(() => { traffic.stop(); held.stop(); });

  const state = h("span.live", t("connecting…"));
  const tiles = {
    admitted: tile(t("Admitted"), "/s"),
    refused: tile(t("Refused"), "/s"),
    calls: tile(t("Concurrent calls")),
    nodes: tile(t("Nodes up")),
    alarms: tile(t("Alarms")),
  };
  const reasons = h("div.bars");
  const busiest = h("tbody");
  const nodes = h("tbody");
  const trunkRows = h("tbody");
  const alarms = h("div.alarms");

  app.ends(listen("/v1/events", { overview: draw, away: () => fill(state, t("the store does not answer")) }, (now) => {
    state.className = `live ${now}`;
    if (now !== "away") fill(state, { live: t("live"), waiting: t("connection lost, trying again"), closed: t("closed") }[now]);
  }));

  function draw(all) {
    tiles.admitted.show(rate(all.admitted_per_s));
    tiles.refused.show(rate(all.refused_per_s), all.refused_per_s > 0 ? "warn" : "");
    tiles.calls.show(number(all.calls));
    const up = all.nodes.filter((one) => one.state === "up").length;
    tiles.nodes.show(`${up} / ${all.nodes.length}`, up < all.nodes.length ? "warn" : "");
    const times = all.history.map((one) => one.at_s);
    traffic.show(times, [all.history.map((one) => one.attempts), all.history.map((one) => one.refused)]);
    held.show(times, [all.history.map((one) => one.calls)]);
    bars(reasons, Object.entries(all.refused_by_reason).map(([reason, value]) => [reason, value, "refused"]), t("Nothing was refused in the last second."));
    fill(busiest, all.accounts.slice(0, 15).map(accountRow));
    fill(nodes, all.nodes.map(nodeRow));
    fill(trunkRows, all.trunks.map(trunkRow));
    // Who is near a limit is told by the nodes at once; of the alerts that stand, the others are of things beside limits.
    const others = all.alerts.filter((one) => one.state !== "waiting" && !all.alarms.some((near) => near.holder === one.subject && LIMITS.includes(one.kind)));
    const rows = [...others.map(standing), ...all.alarms.slice(0, 12).map(alarm)];
    fill(alarms, rows.length ? rows : h("p.quiet", t("No alert stands, and nobody is near a limit.")));
    const bad = all.alarms.some((one) => one.percent >= 100) || others.some((one) => one.level === "critical");
    tiles.alarms.show(number(rows.length), bad ? "bad" : rows.length ? "warn" : "");
  }

  return [
    h("div.head", h("h1", t("Overview")), state),
    h("section.tiles", Object.values(tiles).map((one) => one.node)),
    h("div.two",
      h("section.panel", h("h2", t("Call attempts per second")), traffic.node),
      h("section.panel", h("h2", t("Concurrent calls")), held.node)),
    h("div.two",
      h("section.panel", h("h2", t("Refused, by reason")), reasons),
      h("section.panel", h("h2", t("Alerts")), alarms)),
    h("section.panel", h("h2", t("Busiest accounts")),
      table([t("Account"), t("Attempts/s"), t("CAPS"), t("Refused/s"), t("Calls"), t("Ceiling")], busiest)),
    h("div.two",
      h("section.panel", h("h2", t("Nodes")),
        table([t("Node"), t("State"), t("Attempts/s"), t("Calls"), t("Decision p99"), t("Policy"), t("Up for")], nodes)),
      h("section.panel", h("h2", t("Trunks")),
        table([t("Trunk"), t("State"), t("Calls"), t("ASR, 15 min")], trunkRows))),
  ];
}

export function table(heads, body) {
  return h("div.scroll", { tabindex: "0" }, h("table", h("thead", h("tr", heads.map((head) => h("th", { scope: "col" }, head)))), body));
}

function tile(label, unit = "") {
  const value = h("strong", "–");
  const node = h("div.tile", h("span", label), h("div", value, unit ? h("small", unit) : null));
  return { node, show(text, kind = "") { value.textContent = text; node.className = `tile ${kind}`; } };
}

function accountRow(row) {
  const near = row.calls_ceiling && row.calls >= row.calls_ceiling * 0.8;
  return h("tr",
    h("th", { scope: "row" }, h("a", { href: `#/accounts/${encodeURIComponent(row.account)}` }, row.account)),
    h("td", rate(row.attempts_per_s)),
    h("td.quiet", row.caps ? number(row.caps) : "–"),
    h(row.refused_per_s ? "td.warn" : "td", rate(row.refused_per_s)),
    h(near ? "td.warn" : "td", number(row.calls)),
    h("td.quiet", row.calls_ceiling ? number(row.calls_ceiling) : "–"));
}

function nodeRow(one) {
  const faults = [
    one.store_up ? "" : t("store away"), one.is_overloaded ? t("overloaded") : "", one.cdr_is_failing ? t("CDR disk fails") : "",
    one.policy_is_stale ? t("policy is stale") : "", one.delivery_is_up ? "" : t("delivery is down"), one.escaped ? t("faults of its own: {n}", { n: one.escaped }) : "",
  ].filter(Boolean);
  return h("tr",
    h("th", { scope: "row" }, one.node, faults.length ? h("div.warn", faults.join(", ")) : null),
    h("td", badge(one.state)),
    h("td", rate(one.attempts_per_s)),
    h("td", number(one.calls)),
    h("td", `${number(one.decision_p99_ms, 1)} ms`),
    h("td.quiet", one.policy_generation),
    h("td.quiet", span(one.uptime_s)));
}

function trunkRow(one) {
  return h("tr",
    h("th", { scope: "row" }, h("a", { href: `#/trunks/${encodeURIComponent(one.trunk)}` }, one.trunk)),
    h("td", badge(one.health)),
    h("td", number(one.calls)),
    h("td", one.attempts ? `${number((100 * one.answered) / one.attempts, 1)} % ${t("of {n}", { n: number(one.attempts) })}` : "–"));
}

const KINDS = {
  up: "good", active: "good", live: "good", ok: "good", trial: "warn", degraded: "warn", draining: "warn", starting: "warn",
  suspended: "warn", down: "bad", silent: "bad", stopping: "warn", closed: "quiet", maintenance: "warn", drain: "warn",
};

export function badge(state) { return h(`span.badge.${KINDS[state] || "quiet"}`, t(state)); }

const LIMITS = ["calls", "caps", "spend"];

function standing(one) {
  const where = { trunk: "trunks", credit: "accounts", quality: "accounts", calls: "accounts", caps: "accounts", spend: "accounts" }[one.kind];
  const linked = where && !/^(group|trunk):/.test(one.subject);
  return h(`div.alarm.${one.level === "critical" ? "bad" : "warn"}`,
    linked ? h("a", { href: `#/${where}/${encodeURIComponent(one.subject)}` }, one.subject) : h("span", one.subject),
    h("span", detail(one.text)),
    h("span.quiet", one.state === "going" ? t("going") : ""),
    h("span.quiet", t("since {at}", { at: instant(one.since_ms) })));
}

function alarm(one) {
  const account = !/^(group|trunk):/.test(one.holder);
  return h(`div.alarm.${one.percent >= 100 ? "bad" : "warn"}`,
    account ? h("a", { href: `#/accounts/${encodeURIComponent(one.holder)}` }, one.holder) : h("span", one.holder),
    h("span", one.percent >= 100 ? t("at its limit: {limit}", { limit: one.limit }) : t("{percent} % of {limit}", { percent: one.percent, limit: one.limit })),
    h("span.quiet", one.ceiling ? `${number(one.in_use)} / ${number(one.ceiling)}` : ""),
    h("span.quiet", t("{age} ago", { age: span(one.age_s) })));
}
