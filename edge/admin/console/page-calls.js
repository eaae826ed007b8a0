// Running calls of all nodes.

import { get, query } from "./api.js";
import { h, fill } from "./dom.js";
import { badge, table } from "./page-overview.js";
import { hangUp } from "./page-account.js";
import { clock, number, span, t } from "./words.js";

const LOOK_MS = 3000;

export async function calls(app, account) {
  const wanted = { account, number: "", trunk: "", state: "" };
  const rows = h("tbody");
  const told = h("p.quiet");
  let round = 0;

  async function load() {
    const mine = ++round;
    const found = await get(`/v1/calls${query({ ...wanted, limit: 200 })}`);
    if (mine !== round) return;
    fill(told, t("{n} calls are held in all.", { n: number(found.held) }),
      found.more ? ` ${t("Only the newest are shown.")}` : "",
      found.silent.length ? h("span.bad", ` ${t("No answer from {nodes}: their calls are missing.", { nodes: found.silent.join(", ") })}`) : null);
    fill(rows, found.calls.length ? found.calls.map(row) : h("tr", h("td.quiet", { colspan: 9 }, t("No call runs."))));
  }

  function row(one) {
    return h("tr",
      h("th", { scope: "row" }, h("a", { href: `#/calls/${one.uid}` }, h("code", one.uid.slice(0, 10)))),
      h("td", badge(one.state)), h("td", h("a", { href: `#/accounts/${encodeURIComponent(one.account)}` }, one.account)),
      h("td", one.cli || "–"), h("td", one.called, one.emergency ? h("span.badge.bad", t("emergency")) : null),
      h("td", `${one.ingress_trunk} → ${one.egress_trunk || "–"}`), h("td.quiet", one.node),
      h("td", one.answered_ms ? span((Date.now() - one.answered_ms) / 1000) : clock(one.received_ms)),
      h("td", app.may("operator") ? h("button.small", { onclick: () => hangUp(one.uid, load) }, t("Hang up")) : null));
  }

  let timer = 0;
  const change = (event) => {
    wanted[event.target.name] = event.target.value.trim();
    clearTimeout(timer);
    timer = setTimeout(() => load().catch(() => {}), 250);
  };
  const looking = setInterval(() => { if (!document.hidden) load().catch(() => {}); }, LOOK_MS);
  app.ends(() => { clearInterval(looking); clearTimeout(timer); });
  await load();
  const filter = (name, label) => h("label", label, h("input", { type: "search", name, value: wanted[name], oninput: change, autocomplete: "off" }));
  return [
    h("div.head", h("h1", t("Calls"))),
    h("div.filters", filter("account", t("Account")), filter("number", t("Number")), filter("trunk", t("Trunk")),
      h("label", t("State"), h("select", { name: "state", onchange: change },
        ["", "setup", "answered", "tearing_down"].map((value) => h("option", { value }, value ? t(value) : t("any")))))),
    told,
    h("section.panel", table([t("Call"), t("State"), t("Account"), t("From"), t("To"), t("Trunks"), t("Node"), t("Talks, or since"), ""], rows)),
  ];
}
