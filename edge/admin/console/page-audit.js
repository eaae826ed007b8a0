// Who changed what, when, why and from where; and whether that is whole.

import { get, query } from "./api.js";
import { h, fill } from "./dom.js";
import { sayProblem, say } from "./dialog.js";
import { table } from "./page-overview.js";
import { instant, number, t } from "./words.js";

export async function audit(app) {
  const rows = h("tbody");
  const more = h("div.actions");

  async function load(cursor = "") {
    const page = await get(`/v1/audit${query({ cursor, limit: 100 })}`);
    const made = page.items.map(row);
    if (cursor) rows.append(...made); else fill(rows, made.length ? made : h("tr", h("td.quiet", { colspan: 6 }, t("Nothing was changed yet."))));
    fill(more, page.next ? h("button", { onclick: () => load(page.next).catch(sayProblem) }, t("More")) : null);
  }

  async function verify() {
    try {
      const proof = await get("/v1/audit/verify");
      if (proof.is_whole) say(t("The audit is whole: {n} entries, the last is number {seq}.", { n: number(proof.entries), seq: proof.last_seq }));
      else say(t("The audit is damaged: {fault}", { fault: proof.fault }), "bad");
    } catch (problem) { sayProblem(problem); }
  }

  await load();
  return [
    h("div.head", h("h1", t("Audit")), h("div.actions",
      h("button", { onclick: verify }, t("Is it whole?")),
      h("a", { href: "/v1/audit/export", download: "audit.jsonl" }, t("Export")))),
    h("section.panel", table(["#", t("When"), t("Who"), t("From"), t("What"), t("Change")], rows), more),
  ];
}

function row(one) {
  const change = { ...one.change, ...(one.body ? { body: one.body } : {}) };
  return h("tr",
    h("td.quiet", one.seq), h("td", instant(one.at_ms)), h("td", one.who, h("div.quiet", one.role)), h("td.quiet", one.address),
    h("td", h("b", one.event), " ", h("code", one.operation || ""), h("div.quiet", one.path, one.status ? ` ${one.status}` : "", one.why ? ` – ${one.why}` : "")),
    h("td", Object.keys(change).length ? h("details", h("summary", t("Show")), h("pre", JSON.stringify(change, null, 2))) : null));
}
