// English and French. The English text is the key, so that what has no translation still reads.

import { FRENCH } from "./french.js";
import { DETAILS } from "./french-details.js";
import { REASONS } from "./french-reasons.js";

const LANGUAGES = ["en", "fr"];
const LOCALES = { en: "en-GB", fr: "fr-FR" };
let language = choose();

function choose() {
  const kept = localStorage.getItem("language");
  if (LANGUAGES.includes(kept)) return kept;
  return (navigator.language || "en").toLowerCase().startsWith("fr") ? "fr" : "en";
}

export function current() { return language; }

export function speak(chosen) {
  language = LANGUAGES.includes(chosen) ? chosen : "en";
  localStorage.setItem("language", language);
  document.documentElement.lang = language;
}

// The text in the language chosen, with its {words} put in.
export function t(text, words = {}) {
  const told = language === "fr" ? FRENCH[text] || text : text;
  return told.replace(/\{(\w+)\}/g, (whole, name) => (name in words ? words[name] : whole));
}

// What the API said of an error.
export function detail(text) {
  if (language !== "fr") return text;
  for (const [pattern, french] of DETAILS) if (pattern.test(text)) return text.replace(pattern, french);
  return text;
}

// Why an attempt was refused, as the API says it to the customer.
export function reason(text) {
  if (language !== "fr") return text;
  for (const [english, french] of Object.entries(REASONS)) {
    const pattern = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, "(?<$1>.+?)");
    const found = new RegExp(`^${pattern}$`).exec(text);
    if (found) return french.replace(/\{(\w+)\}/g, (_, name) => found.groups[name]);
  }
  return text;
}

// -- numbers and instants --------------------------------------------------------------------------------------------

// A formatter costs a hundred times what it formats: each is made once.
const FORMATTERS = new Map();

function formatter(kind, options) {
  const name = `${language} ${kind.name} ${Object.values(options)}`;
  let found = FORMATTERS.get(name);
  if (!found) FORMATTERS.set(name, found = new kind(LOCALES[language], options));
  return found;
}

export function number(value, digits = 0) {
  return formatter(Intl.NumberFormat, { maximumFractionDigits: digits }).format(value);
}

export function rate(value) { return number(value, value < 10 ? 1 : 0); }

// Integer micro-units as an amount, exact: no binary fraction on the way.
export function money(micros, currency = "EUR") {
  const whole = BigInt(micros);
  const text = `${whole < 0n ? "-" : ""}${abs(whole) / 1000000n}.${String(abs(whole) % 1000000n).padStart(6, "0")}`;
  const digits = /0{4}$/.test(text) ? 2 : 6;
  return formatter(Intl.NumberFormat, {
    style: "currency", currency, minimumFractionDigits: 2, maximumFractionDigits: digits,
  }).format(text);
}

function abs(value) { return value < 0n ? -value : value; }

// "12.50" -> 12500000; null where that is no amount.
export function micros(text) {
  const found = /^\s*(-?)(\d{1,9})(?:[.,](\d{1,6}))?\s*$/.exec(text);
  if (!found) return null;
  const value = Number(found[2]) * 1000000 + Number((found[3] || "").padEnd(6, "0"));
  return found[1] ? -value : value;
}

export function instant(ms) {
  if (!ms) return "–";
  return formatter(Intl.DateTimeFormat, { dateStyle: "short", timeStyle: "medium" }).format(ms);
}

export function clock(ms) {
  return formatter(Intl.DateTimeFormat, { timeStyle: "medium" }).format(ms);
}

export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(whole / 86400)} ${t("d")} ${Math.floor((whole % 86400) / 3600)} h`;
}
