// Egress trunks: where they are, how they are, what they carry; and taking one out.

import { ask, get, newKey, path } from "./api.js";
import { h, fill } from "./dom.js";
import { form, say } from "./dialog.js";
import { badge, table } from "./page-overview.js";
import { facts } from "./page-account.js";
import { instant, number, t } from "./words.js";

export async function trunks(app, id) {
  return id ? one(app, id) : all(app);
}

async function all(app) {
  const rows = h("tbody");
  const load = async () => {
    const found = await get("/v1/trunks");
    fill(rows, found.length ? found.map(row) : h("tr", h("td.quiet", { colspan: 6 }, t("No trunk is known: no node runs."))));
  };
  const looking = setInterval(() => { if (!document.hidden) load().catch(() => {}); }, 3000);
  app.ends(() => clearInterval(looking));
  await load();
  return [
    h("div.head", h("h1", t("Trunks"))),
    h("section.panel", table([t("Trunk"), t("Where"), t("State"), t("Calls"), t("CAPS"), t("ASR, 15 min")], rows)),
  ];
}

function row(trunk) {
  const total = sums(trunk);
  return h("tr",
    h("th", { scope: "row" }, h("a", { href: `#/trunks/${encodeURIComponent(trunk.trunk)}` }, trunk.trunk)),
    h("td", trunk.uri || "–"), h("td", states(trunk)),
    h("td", `${number(trunk.in_use ?? total.calls)}${trunk.calls_ceiling ? ` / ${number(trunk.calls_ceiling)}` : ""}`),
    h("td.quiet", trunk.caps ? number(trunk.caps) : "–"),
    h("td", asr(total)));
}

function states(trunk) {
  const worst = [...new Set(trunk.nodes.map((one) => one.use.health))];
  return [trunk.ordered ? [badge(trunk.ordered.ordered), " "] : null, trunk.maintenance ? badge("maintenance") : null, ...worst.map((health) => [badge(health), " "])];
}

function sums(trunk) {
  const sum = { calls: 0, attempts: 0, answered: 0 };
  for (const { use } of trunk.nodes) for (const name of Object.keys(sum)) sum[name] += use[name];
  return sum;
}

function said(one) { return `${t(one.ordered)}, ${one.by}, ${instant(one.at_ms)}: ${one.reason}`; }

function asr(use) { return use.attempts ? `${number((100 * use.answered) / use.attempts, 1)} % ${t("of {n}", { n: number(use.attempts) })}` : "–"; }

async function one(app, id) {
  const place = h("div");
  async function load() {
    const trunk = await get(path`/v1/trunks/${id}`);
    fill(place,
      h("div.head", h("h1", trunk.trunk), h("span", states(trunk)),
        app.may("engineer") ? h("div.actions",
          trunk.ordered ? h("button.primary", { onclick: () => command("none") }, t("Take the order back"))
            : h("button", { onclick: () => command("drain") }, t("Drain")),
          trunk.maintenance ? h("button.primary", { onclick: () => order(trunk, "resume") }, t("Bring back"))
            : h("button", { onclick: () => order(trunk, "maintenance") }, t("Take out for maintenance"))) : null),
      h("section.panel", h("h2", t("Ceilings")), facts(h("dl.facts"), [
        [t("Where"), trunk.uri || "–"],
        [t("Concurrent calls"), `${number(trunk.in_use ?? sums(trunk).calls)}${trunk.calls_ceiling ? ` / ${number(trunk.calls_ceiling)}` : ""}`],
        [t("CAPS"), trunk.caps ? number(trunk.caps) : "–"],
        ...(trunk.ordered ? [[t("Ordered"), said(trunk.ordered)]] : []),
      ])),
      h("section.panel", h("h2", t("As each node sees it")),
        table([t("Node"), t("State"), t("Calls"), t("Attempts, 15 min"), t("ASR, 15 min")], h("tbody", trunk.nodes.map(({ node, use }) =>
          h("tr", h("th", { scope: "row" }, node), h("td", badge(use.health)), h("td", number(use.calls)), h("td", number(use.attempts)), h("td", asr(use)))))),
        h("p", h("a", { href: `#/calls` }, t("Its running calls are among the calls.")))));
  }
  // Beside the policy: on every node at once, and gone when it is taken back.
  function command(ordered) {
    const key = newKey();
    form({
      title: ordered === "none" ? t("Bring {trunk} back", { trunk: id }) : t("Drain {trunk}", { trunk: id }),
      label: ordered === "none" ? t("Take the order back") : t("Drain"), danger: ordered !== "none",
      intro: ordered === "none" ? t("Calls go to it again as the policy says, on every node.")
        : t("No new calls go to it, on any node, whatever else fails; running ones go on."),
      fields: [{ name: "reason", label: t("Reason"), required: true, most: 200 }],
      act: async (values) => {
        await ask("PUT", path`/v1/trunk-orders/${id}`, { body: { ...values, ordered }, key });
        say(ordered === "none" ? t("{trunk} takes calls again.", { trunk: id }) : t("{trunk} is drained.", { trunk: id }));
        await load();
      },
    });
  }
  // In the policy: a new version of it.
  function order(trunk, what) {
    const key = newKey();
    form({
      title: what === "resume" ? t("Bring {trunk} back", { trunk: id }) : t("Take {trunk} out", { trunk: id }),
      label: what === "resume" ? t("Bring back") : t("Take out"), danger: what !== "resume",
      intro: what === "resume" ? t("New calls go to it again, on every node.") : t("No new calls go to it, on any node; running ones go on."),
      fields: [{ name: "reason", label: t("Reason") }],
      act: async (values) => {
        const head = await ask("GET", "/v1/policy");
        await ask("POST", `${path`/v1/trunks/${id}`}/${what}`, { body: values, key, etag: head.etag });
        say(what === "resume" ? t("{trunk} takes calls again.", { trunk: id }) : t("{trunk} is out.", { trunk: id }));
        await load();
      },
    });
  }
  const looking = setInterval(() => { if (!document.hidden) load().catch(() => {}); }, 3000);
  app.ends(() => clearInterval(looking));
  await load();
  return place;
}
