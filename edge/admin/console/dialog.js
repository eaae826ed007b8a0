// What is asked before something is done, and what is said after it.

import { h, fill } from "./dom.js";
import { t } from "./words.js";

// Says one sentence; it goes by itself, or at a press.
export function say(text, kind = "good") {
  const toast = h(`div.toast.${kind}`, text, h("button.plain", { "aria-label": t("Close"), onclick: () => toast.remove() }, "×"));
  document.getElementById("toasts").append(toast);
  setTimeout(() => toast.remove(), kind === "bad" ? 15000 : 6000);
}

export function sayProblem(problem) {
  const rest = problem.instance ? ` (${problem.instance})` : "";
  say((problem.status ? problem.message : t("The console cannot be reached.")) + rest, "bad");
}

// A form in a dialog. `fields`: [{name, label, type?, value?, required?, hint?, options?}]. `preview(values)` gives what
// to show below (a promise of nodes) each time something is typed; `act(values)` does it; the dialog stays while it fails.
export function form({ title, intro, fields = [], preview, act, label, danger }) {
  const inputs = new Map();
  const rows = fields.map((field) => {
    const input = field.options
      ? h("select", { name: field.name }, field.options.map(([value, text]) => h("option", { value }, text)))
      : h(field.type === "textarea" ? "textarea" : "input", {
          name: field.name, type: field.type === "textarea" ? undefined : field.type || "text", required: field.required,
          autocomplete: "off", placeholder: field.placeholder, maxlength: field.most || 500,
        });
    if (field.type === "checkbox") input.checked = Boolean(field.value);
    else if (field.value !== undefined) input.value = field.value;
    inputs.set(field.name, input);
    return h(field.type === "checkbox" ? "label.field.check" : "label.field",
      h("span", field.label), input, field.hint ? h("small", field.hint) : null);
  });
  const fault = h("p.fault", { role: "alert" });
  const shown = h("div.preview", { "aria-live": "polite" });
  const go = h(`button.${danger ? "danger" : "primary"}`, { type: "submit" }, label);
  const box = h("dialog", { "aria-label": title },
    h("form", { method: "dialog", onsubmit: submit, oninput: () => { fill(fault); later(); } },
      h("h2", title), intro ? h("div.intro", intro) : null, rows, shown, fault,
      h("div.actions", h("button", { type: "button", onclick: () => box.close() }, t("Cancel")), go)));

  const values = () => Object.fromEntries([...inputs].map(([name, input]) =>
    [name, input.type === "checkbox" ? input.checked : input.value.trim()]));

  let timer = 0;
  let round = 0;
  function later() {
    if (!preview) return;
    clearTimeout(timer);
    timer = setTimeout(look, 250);
  }
  async function look() {
    const mine = ++round;
    try {
      const nodes = await preview(values());
      if (mine === round) { fill(shown, nodes); go.disabled = false; }
    } catch (problem) {
      if (mine === round) { fill(shown); fill(fault, problem.message); }
    }
  }
  async function submit(event) {
    event.preventDefault();
    go.disabled = true;
    fill(fault);
    try {
      await act(values());
      box.close();
    } catch (problem) {
      fill(fault, problem.status === 0 ? t("The console cannot be reached.") : problem.message);
      const first = problem.errors && problem.errors[0];
      const wrong = first && inputs.get(first.pointer.replace(/^\//, "").replace(/_micros$/, ""));
      if (wrong) wrong.focus();
      go.disabled = false;
    }
  }
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  if (preview) look();
  return box;
}
