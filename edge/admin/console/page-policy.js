// The policy document in the store: its versions, what an edit would change, bringing it in, taking it back.

import { ask, get, newKey } from "./api.js";
import { h, fill } from "./dom.js";
import { form, say } from "./dialog.js";
import { table } from "./page-overview.js";
import { instant, number, t } from "./words.js";

export async function policy(app) {
  const place = h("div");
  let head;
  let versions;

  async function load() {
    const answer = await ask("GET", "/v1/policy");
    head = { ...answer.data, etag: answer.etag };
    versions = head.generation ? await get("/v1/policy/versions?last=30") : [];
    draw();
  }

  function draw() {
    fill(place,
      h("div.head", h("h1", t("Policy")), h("span.badge.good", t("generation {n}", { n: head.generation })),
        app.may("engineer") ? h("div.actions",
          h("button", { onclick: edit, disabled: !head.generation }, t("Edit")),
          h("button", { onclick: bring }, t("Bring a file in"))) : null),
      head.source && head.source !== "store" ? h("p.panel", t("The edge beside this console takes its policy from {file}, not from the store.", { file: head.source })) : null,
      h("section.panel", h("h2", t("Versions")),
        versions.length ? table([t("Generation"), t("When"), t("Who"), t("Why"), ""], h("tbody", versions.map(row))) : h("p.quiet", t("The store holds no policy yet."))),
      shadow());
  }

  function row(version) {
    const now = version.generation === head.generation;
    return h("tr",
      h("th", { scope: "row" }, version.generation, now ? [" ", h("span.badge.good", t("in force"))] : null),
      h("td.quiet", instant(version.at_ms)), h("td", version.by),
      h("td", version.why || "–", version.rolled_back_to ? h("div.quiet", t("brings generation {n} back", { n: version.rolled_back_to })) : null),
      h("td", now || !app.may("engineer") ? null : h("div.actions",
        h("button.small", { onclick: () => compare(version.generation) }, t("Compare")),
        h("button.small", { onclick: () => rollBack(version.generation) }, t("Roll back to it")))));
  }

  function shadow() {
    const told = h("div");
    const judge = async () => {
      fill(told, h("p.quiet", t("Judging the last day again…")));
      try { fill(told, replayed((await ask("POST", "/v1/policy/replay", { body: { since: "1d" } })).data)); }
      catch (problem) { fill(told, h("p.fault", problem.message)); }
    };
    return app.may("engineer") ? h("section.panel", h("h2", t("Shadow rules and replay")),
      h("p", t("What rules in the shadow would have refused, and what the document in force would say of the last day's calls.")),
      h("button", { onclick: judge }, t("Judge the last day")), told) : null;
  }

  async function compare(generation) {
    const found = (await ask("POST", "/v1/policy/diff", { body: { before: generation, after: head.generation } })).data;
    const box = h("dialog.wide", h("h2", t("From generation {a} to {b}", { a: generation, b: head.generation })), differences(found),
      h("div.actions", h("button", { onclick: () => box.close() }, t("Close"))));
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    box.showModal();
  }

  function rollBack(generation) {
    const key = newKey();
    form({
      title: t("Roll back to generation {n}", { n: generation }), label: t("Roll back"), danger: true,
      intro: t("It is in force again as a new generation, on every node, for new call attempts."),
      fields: [{ name: "reason", label: t("Reason"), required: true }],
      preview: async () => differences((await ask("POST", "/v1/policy/diff", { body: { before: head.generation, after: generation } })).data),
      act: async (values) => {
        const done = await ask("POST", "/v1/policy/rollback", { body: { generation, reason: values.reason }, etag: head.etag, key });
        say(t("Generation {n} is in force.", { n: done.data.generation }));
        await load();
      },
    });
  }

  async function edit() {
    const text = await get("/v1/policy/document");
    write({ name: text.name, document: text.document, files: text.files });
  }

  function bring() {
    const input = h("input", { type: "file", multiple: true, accept: ".toml,.csv,.txt" });
    input.onchange = async () => {
      const files = {};
      let found = null;
      for (const file of input.files) {
        if (file.name.endsWith(".toml") && !found) found = { name: file.name, document: await file.text() };
        else files[file.name] = base64(new Uint8Array(await file.arrayBuffer()));
      }
      if (!found) { say(t("Expected a .toml document among the files."), "bad"); return; }
      write({ ...found, files });
    };
    input.click();
  }

  // A document is checked and compared while it is written; only one that builds can be brought in.
  function write(document_) {
    const key = newKey();
    const box = form({
      title: t("Policy document {name}", { name: document_.name }), label: t("Bring into force"),
      fields: [
        { name: "document", label: t("Document"), type: "textarea", value: document_.document, most: 4000000 },
        { name: "reason", label: t("Reason") },
      ],
      preview: async (values) => {
        const body = { ...document_, document: values.document };
        const sound = (await ask("POST", "/v1/policy/check", { body })).data;
        const found = head.generation ? (await ask("POST", "/v1/policy/diff", { body: { before: head.generation, after: body } })).data : [];
        return [h("p.good", t("It builds: {accounts} accounts, {trunks} egress trunks, {rules} CLI rules.", { accounts: number(sound.accounts), trunks: number(sound.egress_trunks), rules: number(sound.cli_rules) })), differences(found)];
      },
      act: async (values) => {
        const done = await ask("PUT", "/v1/policy", { body: { ...document_, document: values.document, reason: values.reason }, etag: head.etag || '"0"', key });
        say(t("Generation {n} is in force.", { n: done.data.generation ?? head.generation }));
        await load();
      },
    });
    box.classList.add("wide");
  }

  await load();
  return place;
}

function differences(found) {
  if (!found.length) return h("p.quiet", t("They say the same."));
  return h("pre", found.slice(0, 300).map((one) => [
    h("div", one.path),
    one.before ? h("div.removed", `- ${one.before}`) : null,
    one.after ? h("div.added", `+ ${one.after}`) : null,
  ]));
}

function replayed(found) {
  const shadow = Object.entries(found.shadow);
  return [
    h("p", t("{n} attempts judged under {document}; {same} as before.", { n: number(found.attempts), document: found.under, same: number(found.same) })),
    found.changes.length ? table([t("Before"), t("Now"), t("Calls"), t("Rests on")], h("tbody", found.changes.map((one) => h("tr",
      h("td", one.before || t("admitted"), one.rule_before ? h("div.quiet", one.rule_before) : null), h("td", one.after || t("admitted"), one.rule_after ? h("div.quiet", one.rule_after) : null), h("td", number(one.count)), h("td.quiet", one.basis))))) : null,
    shadow.length ? [h("h2", t("In the shadow")), table([t("Rule"), t("Would have refused")], h("tbody", shadow.map(([rule, count]) => h("tr", h("td", rule), h("td", number(count))))))] : h("p.quiet", t("Rules in the shadow would have refused nothing.")),
  ];
}

function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
