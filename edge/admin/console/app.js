// The console: who is there, which page, and what stands around it.

import { ask, get, keepCsrf, whenLoggedOut } from "./api.js";
import { h, fill } from "./dom.js";
import { sayProblem } from "./dialog.js";
import { current, speak, t } from "./words.js";
import { login } from "./page-login.js";
import { overview } from "./page-overview.js";
import { accounts } from "./page-accounts.js";
import { account } from "./page-account.js";
import { calls } from "./page-calls.js";
import { call } from "./page-call.js";
import { trunks } from "./page-trunks.js";
import { policy } from "./page-policy.js";
import { search } from "./page-search.js";
import { audit } from "./page-audit.js";

const ROLES = ["viewer", "operator", "engineer", "admin"];
const PAGES = [
  { name: "", title: "Overview", key: "o", show: overview },
  { name: "accounts", title: "Accounts", key: "a", show: (app, id) => (id ? account(app, id) : accounts(app)) },
  { name: "calls", title: "Calls", key: "c", show: (app, id) => (id && !id.startsWith("account=") ? call(app, id) : calls(app, id.slice(8))) },
  { name: "trunks", title: "Trunks", key: "t", show: trunks },
  { name: "policy", title: "Policy", key: "p", show: policy },
  { name: "search", title: "Search", key: "s", show: search },
  { name: "audit", title: "Audit", key: "u", role: "admin", show: audit },
];

const root = document.getElementById("app");
const app = {
  me: null,
  // Is the role of whoever is logged in enough?
  may(role) { return ROLES.indexOf(app.me.role) >= ROLES.indexOf(role); },
  go(where) { location.hash = `#/${where}`; },
  again() { show(); },
};
let leave = () => {};
let turn = 0;

// -- around a page ---------------------------------------------------------------------------------------------------

function shell(page, content) {
  const places = PAGES.filter((one) => !one.role || app.may(one.role));
  const find = h("input", {
    type: "search", name: "find", placeholder: t("Number, Call-ID or account"), "aria-label": t("Search"), autocomplete: "off",
  });
  const begin = (event) => {
    event.preventDefault();
    if (find.value.trim()) app.go(`search/${encodeURIComponent(find.value.trim())}`);
  };
  return [
    h("a.skip", { href: "#main", onclick: (event) => { event.preventDefault(); document.getElementById("main").focus(); } }, t("To the content")),
    h("header.top",
      h("a.brand", { href: "#/" }, h("img", { src: "/console/icon.svg", alt: "", width: 26, height: 26 }), "trunkgate"),
      h("nav", { "aria-label": t("Pages") }, places.map((one) =>
        h("a", { href: `#/${one.name}`, "aria-current": one === page ? "page" : null }, t(one.title)))),
      h("form.find", { role: "search", onsubmit: begin }, find),
      h("div.who",
        h("button.plain", { onclick: turnLight, title: t("Light or dark"), "aria-label": t("Light or dark") }, "◐"),
        h("button.plain", { onclick: turnLanguage, "aria-label": t("Language"), lang: current() === "en" ? "fr" : "en" },
          current() === "en" ? "Français" : "English"),
        h("span.me", { title: t(app.me.role) }, app.me.name.replace(/^token:/, "")),
        h("button.plain", { onclick: logOut }, t("Log out")))),
    h("main", { id: "main", tabindex: "-1" }, content),
  ];
}

function turnLight() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  wear(now === "dark" ? "light" : "dark");
}

function wear(theme) {
  if (theme) { document.documentElement.dataset.theme = theme; localStorage.setItem("theme", theme); }
  document.dispatchEvent(new Event("themed"));
}

function turnLanguage() { speak(current() === "en" ? "fr" : "en"); show(); }

async function logOut() {
  try { await ask("DELETE", "/v1/session"); } catch (problem) { if (problem.status !== 401) { sayProblem(problem); return; } }
  out();
}

function out() {
  app.me = null;
  leave();
  leave = () => {};
  turn += 1;
  fill(root, login(enter));
}

// -- pages -----------------------------------------------------------------------------------------------------------

async function show() {
  if (!app.me) { out(); return; }
  const mine = ++turn;
  leave();
  leave = () => {};
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const page = PAGES.find((one) => one.name === name) || PAGES[0];
  const ends = [];
  const scope = { ...app, ends: (act) => ends.push(act) };
  leave = () => { for (const act of ends.splice(0)) act(); };
  const place = h("div.page", h("p.quiet", t("Loading…")));
  fill(root, shell(page, place));
  document.title = `${t(page.title)} · trunkgate`;
  try {
    const content = await page.show(scope, rest.length ? decodeURIComponent(rest.join("/")) : "");
    if (mine === turn) fill(place, content);
  } catch (problem) {
    if (mine !== turn || problem.status === 401) return;
    fill(place, h("div.panel.fault", h("h1", t("This page cannot be shown")), h("p", problem.message),
      h("button", { onclick: show }, t("Try again"))));
    if (problem.status === undefined) throw problem;
  }
}

function enter(me) {
  app.me = me;
  keepCsrf(me.csrf);
  show();
}

// -- by keyboard: / to search, g and a letter to a page --------------------------------------------------------------

let waits = false;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !app.me) return;
  if (event.target.closest("input, textarea, select, dialog")) return;
  if (event.key === "/") {
    event.preventDefault();
    root.querySelector("header input[type=search]").focus();
  } else if (waits) {
    const page = PAGES.find((one) => one.key === event.key && (!one.role || app.may(one.role)));
    if (page) app.go(page.name);
  }
  waits = event.key === "g";
});

window.addEventListener("hashchange", show);
whenLoggedOut(() => { if (app.me) out(); });
speak(current());
wear(localStorage.getItem("theme"));
try {
  enter(await get("/v1/me"));
} catch (problem) {
  out();
  if (problem.status !== 401) sayProblem(problem);
}
