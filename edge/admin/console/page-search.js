// By number, Call-ID, uid or account: running calls and records; and what would become of a call.

import { ask, get, query } from "./api.js";
import { h, fill } from "./dom.js";
import { explained } from "./page-call.js";
import { badge, table } from "./page-overview.js";
import { instant, span, t } from "./words.js";

const LOOKS = 8;

export async function search(app, text) {
  return [
    h("div.head", h("h1", text ? t("Search: {text}", { text }) : t("Search"))),
    text ? found(text) : h("p.quiet", t("A number in any spelling, a Call-ID, the uid of a call, or an account; in the field above.")),
    wouldBe(),
  ];
}

function found(text) {
  const place = h("div");
  const outcome = h("select", { name: "outcome", onchange: look },
    ["", "answered", "refused", "failed", "cancelled", "abandoned"].map((value) => h("option", { value }, value ? t(value) : t("any"))));
  let round = 0;

  async function look() {
    const mine = ++round;
    fill(place, h("p.quiet", t("Looking through the records of every node…")));
    const nodes = await results(text, outcome.value);
    if (mine === round) fill(place, nodes);
  }

  look();
  return [h("div.filters", h("label", t("What became of it"), outcome)), place];
}

// Each part may be missing: no node beside this console, say, has no records.
async function results(text, outcome) {
  const isNumber = /^[+()\d\s./-]{3,}$/.test(text);
  const isUid = /^[0-9a-f]{32}$/.test(text);
  const wanted = isNumber ? { number: text.replace(/[^+\d]/g, "") } : { call_id: text };
  const faults = [];
  const none = (problem) => { faults.push(problem.message); return { calls: [], items: [] }; };
  const [running, records, accounts, byUid] = await Promise.all([
    outcome ? { calls: [] } : get(`/v1/calls${query({ ...wanted, limit: 50 })}`).catch(none),
    recordsOf({ ...wanted, outcome }).catch(none),
    isNumber ? { items: [] } : get(`/v1/accounts${query({ prefix: text, limit: 20 })}`).catch(none),
    isUid ? get(`/v1/cdrs/${text}`).catch(() => null) : null,
  ]);
  const rows = [...running.calls.map(runningRow), ...(byUid ? [recordRow(byUid)] : []), ...records.items.map(recordRow)];
  const silent = new Set([...(running.silent || []), ...(records.silent || [])]);
  const body = h("tbody", rows);
  const earlier = h("p");
  const offer = (next) => fill(earlier, next ? h("button", { type: "button", onclick: () => more(next) }, t("Earlier records")) : null);
  async function more(cursor) {
    fill(earlier, t("Loading…"));
    try {
      const page = await recordsOf({ ...wanted, outcome }, cursor);
      body.append(...page.items.map(recordRow));
      offer(page.next);
    } catch (problem) { fill(earlier, h("span.fault", problem.message)); }
  }
  offer(records.next);
  return [
    faults.map((fault) => h("p.fault", fault)),
    silent.size ? h("p.fault", t("No answer from {nodes}: calls and records of theirs are missing here.", { nodes: [...silent].join(", ") })) : null,
    accounts.items.length ? h("section.panel", h("h2", t("Accounts")), accounts.items.map((one) =>
      h("p", h("a", { href: `#/accounts/${encodeURIComponent(one.account)}` }, one.account), " ", badge(one.status)))) : null,
    h("section.panel", h("h2", t("Calls")), rows.length || records.next
      ? table([t("When"), t("Account"), t("From"), t("To"), t("What became of it"), t("Talked"), ""], body)
      : h("p.quiet", t("No call of this number or name, neither running nor in any record.")), earlier),
  ];
}

// A look of the API is bounded, and may have found nothing yet: some more are made before somebody is asked.
async function recordsOf(words, cursor = "") {
  for (let looks = 0; ; looks += 1) {
    const page = await get(`/v1/cdrs${query({ ...words, limit: 50, cursor })}`);
    if (page.items.length || !page.next || looks === LOOKS) return page;
    cursor = page.next;
  }
}

function runningRow(one) {
  return h("tr", h("td", instant(one.received_ms)), h("td", one.account), h("td", one.cli), h("td", one.called), h("td", h("span.badge.good", t("running")), " ", t(one.state)),
    h("td", one.answered_ms ? span((Date.now() - one.answered_ms) / 1000) : "–"), h("td", h("a", { href: `#/calls/${one.uid}` }, t("Look"))));
}

function recordRow(one) {
  const kind = one.outcome === "answered" ? "good" : one.outcome === "refused" ? "bad" : "quiet";
  return h("tr", h("td", instant(Date.parse(one.received_at))), h("td", one.account || t("unknown")), h("td", one.cli_presented || one.cli_original),
    h("td", one.called || one.called_original), h("td", h(`span.badge.${kind}`, t(one.outcome)), " ", one.reason, one.status ? ` (${one.status})` : ""),
    h("td", one.duration_ms ? span(one.duration_ms / 1000) : "–"), h("td", h("a", { href: `#/calls/${one.uid}` }, t("Look"))));
}

// An attempt that is only imagined.
function wouldBe() {
  const told = h("div");
  const input = (name, label, more) => h("label", label, h("input", { name, autocomplete: "off", ...more }));
  const act = async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.target));
    const where = /^[\d.:a-fA-F[\]]+$/.test(values.from_where) ? { source: values.from_where } : { trunk: values.from_where };
    try { fill(told, explained((await ask("POST", "/v1/explain", { body: { cli: values.cli, called: values.called, ...where } })).data)); }
    catch (problem) { fill(told, h("p.fault", problem.message)); }
  };
  return h("section.panel", h("h2", t("What would become of a call?")),
    h("form.filters", { onsubmit: act },
      input("cli", t("Calling number"), { required: true, placeholder: "+33199000001" }),
      input("called", t("Called number"), { required: true, placeholder: "+33199001234" }),
      input("from_where", t("Source address or ingress trunk"), { required: true, placeholder: "192.0.2.10" }),
      h("button.primary", { type: "submit" }, t("Explain"))), told);
}
