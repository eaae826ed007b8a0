// One call, running or over: its ladder, what decided, and what to tell the customer.

import { get, path } from "./api.js";
import { h, fill } from "./dom.js";
import { ofCall, ofRecord } from "./ladder.js";
import { facts, hangUp } from "./page-account.js";
import { badge, table } from "./page-overview.js";
import { detail, instant, money, reason, span, t } from "./words.js";

export async function call(app, uid) {
  const running = /^[0-9a-f]{1,64}$/.test(uid) ? await get(path`/v1/calls/${uid}`).catch(missing) : null;
  if (running) return live(app, uid, running);
  const record = await get(path`/v1/cdrs/${uid}`);
  return over(app, uid, record);
}

function missing(problem) {
  if (problem.status === 404) return null;
  throw problem;
}

// -- running ---------------------------------------------------------------------------------------------------------

function live(app, uid, first) {
  const picture = h("div.scroll", { tabindex: "0" });
  const told = h("dl.facts");
  const state = h("span");
  function draw(found) {
    const row = found.row;
    fill(state, badge(row.state));
    fill(picture, ofCall(found));
    facts(told, [
      [t("Account"), h("a", { href: `#/accounts/${encodeURIComponent(row.account)}` }, row.account)],
      [t("From"), `${row.cli || "–"}${found.withheld ? ` (${t("withheld")})` : ""}`], [t("To"), row.called],
      [t("Trunks"), `${row.ingress_trunk} → ${row.egress_trunk || "–"}`], [t("Node"), row.node], [t("Source"), row.source],
      ["Call-ID", h("code", row.call_id)], [t("Received"), instant(row.received_ms)],
      [t("Talks"), row.answered_ms ? span((Date.now() - row.answered_ms) / 1000) : "–"],
      [t("Rate"), found.rate_micros === null ? "–" : `${money(found.rate_micros, found.currency || "EUR")} / min, ${found.zone}`],
      [t("Paid until"), found.paid_until_ms ? instant(found.paid_until_ms) : "–"], [t("Rule"), found.rule || "–"],
    ]);
  }
  draw(first);
  const looking = setInterval(() => {
    if (!document.hidden) get(path`/v1/calls/${uid}`).then(draw).catch((problem) => { if (problem.status === 404) { clearInterval(looking); app.again(); } });
  }, 2000);
  app.ends(() => clearInterval(looking));
  return [
    h("div.head", h("h1", t("Call"), " ", h("code", uid.slice(0, 12))), state,
      app.may("operator") ? h("div.actions", h("button.danger", { onclick: () => hangUp(uid, app.again) }, t("Hang up"))) : null),
    h("section.panel", h("h2", t("What happened")), picture),
    h("section.panel", h("h2", t("The call")), told),
  ];
}

// -- over ------------------------------------------------------------------------------------------------------------

async function over(app, uid, record) {
  const why = h("section.panel", h("h2", t("Why")), h("p.quiet", t("Loading…")));
  get(path`/v1/explain/${uid}`).then((found) => fill(why, h("h2", t("Why")), explained(found)))
    .catch((problem) => fill(why, h("h2", t("Why")), h("p.fault", problem.message)));
  const told = facts(h("dl.facts"), [
    [t("Account"), record.account ? h("a", { href: `#/accounts/${encodeURIComponent(record.account)}` }, record.account) : t("unknown")],
    [t("From"), `${record.cli_presented || record.cli_original || "–"}${record.withheld ? ` (${t("withheld")})` : ""}`],
    [t("To"), record.called || record.called_original], [t("Received"), instant(Date.parse(record.received_at))],
    [t("Trunks"), `${record.ingress_trunk || "–"} → ${record.egress_trunk || "–"}`], [t("Source"), record.source],
    ["Call-ID", h("code", record.call_id)], [t("Node"), `${record.node} #${record.seq}`],
    [t("Status"), `${record.status || "–"}${record.q850 ? `, Q.850 ${record.q850}` : ""}`],
    [t("Duration"), record.duration_ms ? span(record.duration_ms / 1000) : "–"],
    [t("Cost"), record.currency ? money(record.cost_micros, record.currency) : "–"],
    [t("Rate"), record.currency ? `${money(record.rate_micros, record.currency)} / min, ${record.zone}` : "–"],
    [t("Ended by"), `${record.release_side || "–"}${record.release_reason ? `, ${record.release_reason}` : ""}`],
    [t("Tags"), record.tags.join(", ") || "–"],
  ]);
  return [
    h("div.head", h("h1", t("Call"), " ", h("code", uid.slice(0, 12))), h(`span.badge.${record.outcome === "answered" ? "good" : record.outcome === "refused" ? "bad" : "quiet"}`, t(record.outcome)),
      h("span.quiet", record.reason)),
    why,
    h("section.panel", h("h2", t("What happened")), h("div.scroll", { tabindex: "0" }, ofRecord(record))),
    h("section.panel", h("h2", t("The record")), told, h("details", h("summary", t("Every column")), h("pre", JSON.stringify(record, null, 2)))),
  ];
}

// An explanation: the sentence for the customer first, then stage by stage.
export function explained(found) {
  return [
    found.in_words ? h("p", h("strong", reason(found.in_words)))
      : found.verdict === "unknown" ? h("p", h("strong", t("Policy lets it pass; what the limits say is not known: {why}", { why: found.unknown })))
      : h("p", h("strong.good", t("It would be admitted now."))),
    found.rests_on ? h("p.quiet", t("Rests on: {basis}", { basis: found.rests_on })) : null,
    found.limits_then ? h("p", detail(found.limits_then)) : null,
    table([t("Stage"), t("What it found"), t("Rests on")], h("tbody", found.steps.map((step) => h("tr",
      h("th", { scope: "row" }, t(step.stage)),
      h(step.refused ? "td.bad" : "td", step.found || t("nothing to say"), step.refused ? h("div", step.refused) : null,
        step.shadow.length ? h("div.quiet", t("in the shadow: {rules}", { rules: step.shadow.join(", ") })) : null),
      h("td.quiet", step.basis || "–"))))),
    found.limits_now.length ? h("details", h("summary", t("The limits now")), h("pre", found.limits_now.join("\n"))) : null,
    h("p.quiet", t("Judged under {document}.", { document: detail(found.under) }), found.lacks ? ` ${found.lacks}` : ""),
  ];
}
