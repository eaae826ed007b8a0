// Log in with a token; at a first run, make the first one.

import { ask } from "./api.js";
import { h, fill } from "./dom.js";
import { current, speak, t } from "./words.js";

export function login(enter) {
  const place = h("main.login", { id: "main" });
  const draw = () => fill(place, box());

  function box() {
    const token = h("input", { type: "password", name: "token", required: true, autocomplete: "off", spellcheck: "false" });
    const fault = h("p.fault", { role: "alert" });
    const act = async (event) => {
      event.preventDefault();
      fill(fault);
      try {
        await begin(token.value.trim(), enter);
      } catch (problem) {
        if (problem.kind === "forbidden") first(token.value.trim());
        else fill(fault, problem.status === 0 ? t("The console cannot be reached.") : problem.message);
      }
    };
    return h("div.panel",
      h("h1", h("img", { src: "/console/icon.svg", alt: "", width: 34, height: 34 }), "trunkgate"),
      h("form", { onsubmit: act },
        h("label.field", h("span", t("Token")), token,
          h("small", t("An administrator makes one: edge token create NAME --role operator"))),
        fault,
        h("button.primary", { type: "submit" }, t("Log in"))),
      h("button.plain", { onclick: () => provider(fault) }, t("Log in with your organisation's account")),
      h("button.plain", { lang: current() === "en" ? "fr" : "en", onclick: () => { speak(current() === "en" ? "fr" : "en"); draw(); } },
        current() === "en" ? "Français" : "English"));
  }

  // The one-time token makes the first one, and nothing else.
  function first(once) {
    const name = h("input", { name: "name", required: true, value: "admin", maxlength: 100 });
    const fault = h("p.fault", { role: "alert" });
    const act = async (event) => {
      event.preventDefault();
      try {
        const made = await ask("POST", "/v1/tokens", { token: once, body: { name: name.value.trim(), role: "admin" } });
        told(made.data.token);
      } catch (problem) {
        fill(fault, problem.message);
      }
    };
    fill(place, h("div.panel", h("h1", t("First run")),
      h("p", t("This token is good for one thing: to make the first token of an administrator.")),
      h("form", { onsubmit: act }, h("label.field", h("span", t("Name")), name), fault,
        h("button.primary", { type: "submit" }, t("Make the token")))));
  }

  function told(text) {
    fill(place, h("div.panel", h("h1", t("Your token")),
      h("p", t("It is shown this once. Keep it where passwords are kept.")),
      h("output.secret", text),
      h("div.actions",
        h("button", { onclick: () => navigator.clipboard.writeText(text) }, t("Copy")),
        h("button.primary", { onclick: () => begin(text, enter) }, t("Log in")))));
  }

  draw();
  return place;
}

// The OpenID provider, where there is one: the browser goes there and comes back with a session.
async function provider(fault) {
  const where = "/v1/session/oidc";
  const answer = await fetch(where, { redirect: "manual", cache: "no-store" }).catch(() => null);
  if (answer && answer.type === "opaqueredirect") location.assign(where);
  else fill(fault, t("No OpenID provider is set up here: see docs/api.md."));
}

async function begin(token, enter) {
  await ask("POST", "/v1/session", { token });
  enter((await ask("GET", "/v1/me")).data);
}
