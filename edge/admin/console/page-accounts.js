// Every account, group or trunk ceiling, page by page.

import { ask, get, newKey, query } from "./api.js";
import { h, fill } from "./dom.js";
import { form, say } from "./dialog.js";
import { badge, table } from "./page-overview.js";
import { instant, money, number, t } from "./words.js";

export async function accounts(app) {
  const wanted = { prefix: "", kind: "account", status: "" };
  const rows = h("tbody");
  const more = h("div.actions");
  let round = 0;

  async function load(cursor = "") {
    const mine = cursor ? round : ++round;
    const page = await get(`/v1/accounts${query({ ...wanted, cursor, limit: 100 })}`);
    if (mine !== round) return;
    const made = page.items.map(row);
    if (cursor) rows.append(...made);
    else fill(rows, made.length ? made : h("tr", h("td.quiet", { colspan: 7 }, t("Nothing fits."))));
    fill(more, page.next ? h("button", { onclick: () => load(page.next) }, t("More")) : null);
  }

  let timer = 0;
  const change = (event) => {
    wanted[event.target.name] = event.target.value.trim();
    clearTimeout(timer);
    timer = setTimeout(load, 200);
  };
  app.ends(() => clearTimeout(timer));
  const choose = (name, label, options) =>
    h("label", label, h("select", { name, onchange: change }, options.map(([value, text]) => h("option", { value }, text))));

  await load();
  return [
    h("div.head", h("h1", t("Accounts")),
      app.may("engineer") ? h("div.actions", h("button.primary", { onclick: () => create(app) }, t("New account"))) : null),
    h("div.filters",
      h("label", t("Name begins with"), h("input", { type: "search", name: "prefix", oninput: change, autocomplete: "off" })),
      choose("kind", t("Kind"), [["account", t("Accounts")], ["group", t("Groups")], ["trunk", t("Trunk ceilings")]]),
      choose("status", t("Status"), [["", t("any")], ["active", t("active")], ["suspended", t("suspended")], ["closed", t("closed")]])),
    h("section.panel", table([t("Account"), t("Status"), t("Calls"), t("CAPS"), t("Balance"), t("Held"), t("Last call")], rows), more),
  ];
}

function row(one) {
  return h("tr",
    h("th", { scope: "row" }, h("a", { href: `#/accounts/${encodeURIComponent(one.account)}` }, one.account)),
    h("td", badge(one.status)),
    h(one.calls && one.in_use >= one.calls * 0.8 ? "td.warn" : "td", `${number(one.in_use)} / ${number(one.calls)}`),
    h("td", number(one.caps)),
    h(one.balance_micros < 0 ? "td.bad" : "td", money(one.balance_micros)),
    h("td.quiet", money(one.held_micros)),
    h("td.quiet", instant(one.last_call_ms)));
}

function create(app) {
  const key = newKey();
  form({
    title: t("New account"),
    intro: t("Its calls are let in once the policy document names it too."),
    label: t("Create"),
    fields: [
      { name: "account", label: t("Name"), required: true, most: 128 },
      { name: "credit", label: t("Credit"), options: [["prepaid", t("prepaid")], ["postpaid", t("postpaid")], ["none", t("none")]] },
      { name: "caps_base", label: t("CAPS, base"), type: "number", value: 1 },
      { name: "calls_base", label: t("Concurrent calls, base"), type: "number", value: 10 },
      { name: "reason", label: t("Reason") },
    ],
    act: async (values) => {
      const body = { ...values, caps_base: Number(values.caps_base), calls_base: Number(values.calls_base) };
      await ask("POST", "/v1/accounts", { body, key });
      say(t("{account} is there.", { account: values.account }));
      app.go(`accounts/${encodeURIComponent(values.account)}`);
    },
  });
}
