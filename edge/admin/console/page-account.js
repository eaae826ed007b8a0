// One account: what it may, what it uses, its money, its calls; and the buttons that change it live.

import { ask, get, newKey, path } from "./api.js";
import { h, fill } from "./dom.js";
import { gauge, strip } from "./charts.js";
import { form, say, sayProblem } from "./dialog.js";
import { listen } from "./live.js";
import { badge, table } from "./page-overview.js";
import { quality } from "./part-quality.js";
import { clock, instant, micros, money, number, span, t } from "./words.js";

const KEPT_S = 300;
const SHOWN = 12;

export async function account(app, id) {
  const base = path`/v1/accounts/${id}`;
  const first = await ask("GET", base);
  let known = first.data;
  let etag = first.etag;

  const gauges = {
    caps: gauge(t("Call attempts per second")),
    calls: gauge(t("Concurrent calls")),
    credit: gauge(t("Credit held")),
  };
  const pace = strip([
    { label: t("admitted"), colour: "admitted", fill: true },
    { label: t("refused"), colour: "refused", fill: false },
    { label: t("CAPS"), colour: "muted", dash: [6, 4], step: true },
  ], { unit: "/s" });
  const held = strip([
    { label: t("concurrent calls"), colour: "calls", fill: true },
    { label: t("ceiling"), colour: "muted", dash: [6, 4], step: true },
  ]);
  app.ends(() => { pace.stop(); held.stop(); });
  const seen = [];
  const state = h("span.live", t("connecting…"));
  const status = h("span");
  const values = h("dl.facts");
  const purse = h("dl.facts");
  const callRows = h("tbody");
  const allCalls = h("p");
  const historyRows = h("tbody");
  const admitted = h("strong", { id: "admitted-rate" }, "–");

  // -- live ----------------------------------------------------------------------------------------------------------

  app.ends(listen(`${base}/events`, {
    account: (now) => {
      seen.push(now);
      while (seen.length && now.at_ms - seen[0].at_ms > KEPT_S * 1000) seen.shift();
      const times = seen.map((one) => Math.round(one.at_ms / 1000));
      pace.show(times, [seen.map((one) => one.admitted_per_s), seen.map((one) => one.refused_per_s), seen.map((one) => one.caps)]);
      held.show(times, [seen.map((one) => one.in_use), seen.map((one) => one.calls)]);
      gauges.caps.show(now.admitted_per_s, now.caps);
      gauges.calls.show(now.in_use, now.calls);
      showCredit(now.balance_micros, now.held_micros);
      admitted.textContent = number(now.admitted_per_s, 1);
      if (now.generation !== known.generation) load();
    },
    away: () => fill(state, t("the store does not answer")),
    gone: () => fill(state, t("this account is not there any more")),
  }, (now) => {
    state.className = `live ${now}`;
    if (now !== "away") fill(state, { live: t("live"), waiting: t("connection lost, trying again"), closed: t("closed") }[now]);
  }));

  function showCredit(balance, holding) {
    gauges.credit.show(holding, Math.max(holding, balance - known.values.floor_micros), money(holding), `/ ${money(balance)}`);
  }

  async function load() {
    const answer = await ask("GET", base);
    known = answer.data;
    etag = answer.etag;
    draw();
    loadHistory();
  }

  function draw() {
    const v = known.values;
    fill(turn, v.status === "active" ? t("Suspend") : t("Resume"));
    fill(status, badge(v.status), v.is_cut && v.status !== "active" ? h("span.bad", ` ${t("running calls are cut")}`) : null);
    gauges.calls.show(known.in_use, known.calls);
    showCredit(known.balance_micros, known.held_micros);
    facts(values, [
      [t("CAPS"), t("{total} = {base} + {lots} lots of {size}", { total: number(known.caps), base: number(v.caps_base), lots: number(v.caps_lots), size: number(v.caps_lot_size) })],
      [t("Burst"), number(known.burst)],
      [t("Concurrent calls"), t("{total} = {base} + {lots} lots of {size}", { total: number(known.calls), base: number(v.calls_base), lots: number(v.call_lots), size: number(v.call_lot_size) })],
      [t("Group"), v.group ? `${v.group}, ${t("{n} calls reserved", { n: v.calls_reserved })}` : "–"],
      [t("Dearest rate"), v.max_rate_micros === null ? "–" : `${money(v.max_rate_micros)} / min`],
      [t("Shadow"), v.shadow.length ? v.shadow.join(", ") : "–"],
      ...v.prefix_ceilings.map((one) => [t("To {prefix}", { prefix: one.prefix }),
        t("{used} of {calls} calls, CAPS {caps}", { used: known.prefixes[one.prefix] || 0, calls: one.calls ?? "∞", caps: one.caps ?? "∞" })]),
      ...known.reverts.map((one) => [t("Returns by itself"), t("{name} to {to} at {at}", { name: one.name, to: shown(one.to), at: instant(one.at_ms) })]),
    ]);
    facts(purse, [
      [t("Credit"), t(v.credit)],
      [t("Balance"), money(known.balance_micros)],
      [t("Held for running calls"), money(known.held_micros)],
      [t("Free"), money(known.balance_micros - v.floor_micros - known.held_micros)],
      [t("Floor"), money(v.floor_micros)],
      [t("Spent this hour"), capped(known.spent_hour_micros, v.spend_cap_hour_micros)],
      [t("Spent today"), capped(known.spent_day_micros, v.spend_cap_day_micros)],
      [t("Last call"), instant(known.last_call_ms)],
    ]);
  }

  async function loadHistory() {
    const entries = await get(`${base}/history?last=30`);
    fill(historyRows, entries.length ? entries.map((one) => h("tr",
      h("td.quiet", instant(one.at_ms)), h("td", one.by),
      h("td", changes(one.values),
        one.until_ms ? h("small", t("until {at}", { at: instant(one.until_ms) })) : null),
      h("td", one.why))) : h("tr", h("td.quiet", { colspan: 4 }, t("Nothing was changed yet."))));
  }

  async function loadCalls() {
    const found = await get(`${base}/calls`);
    const now = Date.now();
    fill(allCalls, found.length > SHOWN ? h("a", { href: `#/calls/account=${encodeURIComponent(id)}` }, t("All {n} calls", { n: number(found.length) })) : null);
    fill(callRows, found.length ? found.slice(0, SHOWN).map((one) => h("tr",
      h("th", { scope: "row" }, h("a", { href: `#/calls/${one.uid}` }, h("code", one.uid.slice(0, 12)))),
      h("td", one.node), h("td", clock(one.admitted_ms)),
      h("td", one.answered_ms ? span((now - one.answered_ms) / 1000) : t("rings")),
      h("td", money(one.held_micros)),
      h("td", app.may("operator") ? h("button.small", { onclick: () => hangUp(one.uid, loadCalls) }, t("Hang up")) : null)))
      : h("tr", h("td.quiet", { colspan: 6 }, t("No call runs."))));
  }

  // -- changes -------------------------------------------------------------------------------------------------------

  const change = async (method, where, body, key) => {
    const done = await ask(method, `${base}${where}`, { body, key, etag: method === "PATCH" ? etag : undefined });
    await load();
    return done.data;
  };

  function lots(kind, step) {
    const isCaps = kind === "caps-lots";
    const key = newKey();
    const size = isCaps ? known.values.caps_lot_size : known.values.call_lot_size;
    form({
      title: isCaps ? (step > 0 ? t("Add CAPS lots") : t("Take CAPS lots away")) : step > 0 ? t("Add call lots") : t("Take call lots away"),
      intro: t("One lot is {size}. In force at the next call attempt, on every node; running calls go on.", { size: number(size) }),
      label: step > 0 ? t("Raise") : t("Lower"),
      danger: step < 0,
      fields: [
        { name: "lots", label: t("Lots"), type: "number", value: 1, required: true },
        { name: "until", label: t("Until"), placeholder: "2h", hint: t("Left empty: for good. Else it returns by itself: 45m, 2h, 3d.") },
        { name: "reason", label: t("Reason") },
      ],
      preview: async (values) => effect((await ask("POST", `${base}/${kind}?dry_run=true`, { body: lotsBody(values, step) })).data, isCaps),
      act: async (values) => {
        const done = await change("POST", `/${kind}`, lotsBody(values, step), key);
        say(sentence(done));
      },
    });
  }

  function suspend() {
    const key = newKey();
    form({
      title: t("Suspend {account}", { account: id }), label: t("Suspend"), danger: true,
      intro: t("No new call passes (403)."),
      fields: [
        { name: "reason", label: t("Reason"), required: true },
        { name: "until", label: t("Until"), placeholder: "2h" },
        { name: "cut", label: t("End its {n} running calls too", { n: known.in_use }), type: "checkbox" },
      ],
      act: async (values) => {
        await change("POST", "/suspend", { reason: values.reason, cut: values.cut, ...(values.until ? { until: values.until } : {}) }, key);
        say(t("{account} is suspended.", { account: id }));
      },
    });
  }

  function resume() {
    const key = newKey();
    form({
      title: t("Resume {account}", { account: id }), label: t("Resume"),
      fields: [{ name: "reason", label: t("Reason") }],
      act: async (values) => { await change("POST", "/resume", values, key); say(t("Calls pass again.")); },
    });
  }

  function topUp() {
    const key = newKey();
    form({
      title: t("Top up"), label: t("Book"),
      intro: t("Money actually received. The same reference books nothing a second time."),
      fields: [
        { name: "amount", label: t("Amount"), required: true, placeholder: "50.00" },
        { name: "reference", label: t("Reference of the payment"), required: true, most: 128 },
        { name: "reason", label: t("Reason") },
      ],
      preview: async (values) => {
        const amount = micros(values.amount);
        if (amount === null) return values.amount ? h("p.bad", t("Expected an amount such as 12.50.")) : null;
        return h("p", t("Balance {before} → {after}", { before: money(known.balance_micros), after: money(known.balance_micros + amount) }));
      },
      act: async (values) => {
        const amount = micros(values.amount);
        if (amount === null) throw new Error(t("Expected an amount such as 12.50."));
        const done = await change("POST", "/top-ups", { amount_micros: amount, reference: values.reference, reason: values.reason }, key);
        say(done.already ? t("This reference was booked before: nothing was changed.") : t("Balance {before} → {after}", { before: money(done.before_micros), after: money(done.after_micros) }));
      },
    });
  }

  const stepper = (kind, label) => h("div.stepper",
    h("span", label),
    h("button", { "aria-label": `${label}: −`, onclick: () => lots(kind, -1) }, "−"),
    h("button", { "aria-label": `${label}: +`, onclick: () => lots(kind, 1) }, "+"));

  const turn = h("button", { onclick: () => (known.values.status === "active" ? suspend() : resume()) });
  draw();
  await Promise.all([loadHistory(), loadCalls()]);
  const looking = setInterval(() => { if (!document.hidden) loadCalls().catch(() => {}); }, 5000);
  app.ends(() => clearInterval(looking));
  const isBook = /^(group|trunk):/.test(id);

  return [
    h("div.head", h("h1", id), status, state,
      app.may("operator") ? h("div.actions",
        stepper("caps-lots", t("CAPS lots")), stepper("call-lots", t("Call lots")),
        isBook ? null : h("button", { onclick: topUp }, t("Top up")),
        turn) : null),
    h("section.panel", h("div.gauges", gauges.caps.node, gauges.calls.node, isBook ? null : gauges.credit.node),
      h("p.quiet", t("Admitted per second now:"), " ", admitted)),
    h("div.two",
      h("section.panel", h("h2", t("Call attempts per second")), pace.node),
      h("section.panel", h("h2", t("Concurrent calls")), held.node)),
    h("div.two",
      h("section.panel", h("h2", t("In force")), values),
      h("section.panel", h("h2", t("Money")), purse)),
    isBook ? null : quality(app, id),
    h("section.panel", h("h2", t("Running calls")), table([t("Call"), t("Node"), t("Since"), t("Talks"), t("Held"), ""], callRows), allCalls),
    h("section.panel", h("h2", t("History")), table([t("When"), t("Who"), t("What"), t("Why")], historyRows)),
  ];
}

// -- shared with other pages -----------------------------------------------------------------------------------------

export function facts(place, rows) {
  return fill(place, rows.map(([name, value]) => [h("dt", name), h("dd", value)]));
}

export function hangUp(uid, then) {
  const key = newKey();
  form({
    title: t("Hang up"), label: t("Hang up"), danger: true,
    intro: t("Both sides get BYE; the record says that an operator ended the call."),
    fields: [{ name: "reason", label: t("Reason"), required: true }],
    act: async (values) => {
      await ask("POST", path`/v1/calls/${uid}/hang-up`, { body: values, key });
      say(t("The call is being ended."));
      setTimeout(() => Promise.resolve(then()).catch(sayProblem), 500);
    },
  });
}

function lotsBody(values, step) {
  const count = Math.abs(Math.trunc(Number(values.lots))) || 0;
  const body = { lots: `${step > 0 ? "+" : "-"}${count}`, reason: values.reason };
  return values.until ? { ...body, until: values.until } : body;
}

// What a change would do, as the API tells it of a dry run.
function effect(change, isCaps) {
  const rows = Object.entries(change.changed);
  if (!rows.length) return h("p.quiet", t("Nothing would change."));
  const size = change.monthly;
  return h("div.change",
    rows.map(([name, [before, after]]) => [h("span", name), h("b", `${shown(before)} → ${shown(after)}`)]),
    size.before_micros === size.after_micros ? null
      : [h("span", t("A month")), h("b", `${money(size.before_micros, size.currency || "EUR")} → ${money(size.after_micros, size.currency || "EUR")}`)],
    change.until_ms ? [h("span", t("Until")), h("b", instant(change.until_ms))] : null,
    change.cancelled.map((one) => [h("span", t("Cancelled")), h("b", `${one.name} → ${shown(one.to)}`)]),
    isCaps ? [h("span", t("In force")), h("b", t("at the next call attempt"))] : null);
}

function sentence(change) {
  const parts = Object.entries(change.changed).map(([name, [before, after]]) => `${name} ${shown(before)} → ${shown(after)}`);
  return parts.length ? parts.join(", ") : t("It was so already.");
}

function shown(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (Array.isArray(value)) return value.length ? value.map((one) => (typeof one === "object" ? one.prefix : one)).join(", ") : "–";
  return typeof value === "number" ? number(value) : String(value);
}

// A few are told; many (a new account) on demand.
function changes(values) {
  const lines = values.map((value) => h("div", h("b", value.name), ` ${shown(value.before)} → ${shown(value.after)}`));
  return lines.length <= 4 ? lines : h("details", h("summary", t("{n} values", { n: lines.length })), lines);
}

function capped(spent, cap) { return cap === null ? money(spent) : `${money(spent)} / ${money(cap)}`; }
