// The admin API as this page calls it: the session's cookie goes along by itself, changes bring its CSRF word.

import { current, detail, t } from "./words.js";

let csrf = "";
let onLoggedOut = () => {};

export function whenLoggedOut(act) { onLoggedOut = act; }
export function keepCsrf(word) { csrf = word; }

// The details as the API says them; in another language its kind comes first, and both in that language as far as known.
function sentence(told) {
  if (!told.title || current() === "en") return told.detail || told.title || "";
  return told.detail ? `${t(told.title)} (${detail(told.detail)})` : t(told.title);
}

// What the API answered instead of what was wanted: problem details (RFC 9457).
export class Problem extends Error {
  constructor(status, told) {
    super(sentence(told) || `HTTP ${status}`);
    this.status = status;
    this.kind = (told.type || "").replace("/problems/", "");
    this.errors = told.errors || [];
    this.instance = told.instance || "";
  }
}

// {data, etag}. `options`: body, etag (If-Match), token (instead of the session), key (Idempotency-Key).
export async function ask(method, path, options = {}) {
  const headers = { Accept: "application/json" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.token) headers.Authorization = `Bearer ${options.token}`;
  if (options.etag) headers["If-Match"] = options.etag;
  if (options.key) headers["Idempotency-Key"] = options.key;
  if (method !== "GET" && !options.token) headers["X-CSRF-Token"] = csrf;
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, credentials: "same-origin", cache: "no-store",
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
    });
  } catch {
    throw new Problem(0, { title: "unreachable", type: "/problems/unreachable" });
  }
  const text = await answer.text();
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { data = { detail: text.slice(0, 200) }; }
  if (!answer.ok) {
    const problem = new Problem(answer.status, data || {});
    if (answer.status === 401 && !options.token) onLoggedOut(problem);
    throw problem;
  }
  return { data, etag: answer.headers.get("ETag") || "" };
}

export async function get(path) { return (await ask("GET", path)).data; }

// A path with these words in it, each one quoted: path`/v1/accounts/${name}/history`.
export function path(parts, ...words) {
  return parts.reduce((whole, part, at) => whole + encodeURIComponent(words[at - 1]) + part);
}

// A query string of what is not empty.
export function query(words) {
  const given = Object.entries(words).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

// One key for one press of a button: pressed twice, it is done once.
export function newKey() { return crypto.randomUUID(); }
