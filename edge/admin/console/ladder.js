// The ladder diagram of a call: who said what to whom, and when. Drawn from what is known of it: its record, or the
// running call.

import { s } from "./dom.js";
import { t } from "./words.js";

const STEP = 34;

// `sides`: names, from the caller to the last trunk; `events`: [{at_ms, from, to, text, kind}] or a note at one side
// ({at_ms, at, text, kind}).
export function ladder(sides, events) {
  const gap = 210;
  const left = 96;
  const width = left + gap * (sides.length - 1) + 96;
  const height = 64 + STEP * (events.length + 1);
  const x = (side) => left + gap * side;
  const begun = events.length ? events[0].at_ms : 0;
  const lines = sides.map((name, side) => [
    s("line.who-line", { x1: x(side), x2: x(side), y1: 40, y2: height - 8 }),
    s("rect.who-box", { x: x(side) - 82, y: 8, width: 164, height: 30, rx: 8 }),
    s("text.who-name", { x: x(side), y: 28 }, name.length > 22 ? `${name.slice(0, 21)}…` : name, s("title", name)),
  ]);
  const drawn = events.map((event, row) => {
    const y = 64 + STEP * row;
    const time = s("text.time", { x: 4, y: y + 4 }, since(event.at_ms - begun));
    return [time, event.at === undefined ? arrow(event, y, x) : note(event, y, x)];
  });
  const words = events.map((one) => one.text).join("; ");
  return s("svg.ladder", { viewBox: `0 0 ${width} ${height}`, width: width * 1.15, role: "img", "aria-label": `${t("Ladder of the call")}: ${words}` }, lines, drawn);
}

function arrow(event, y, x) {
  const from = x(event.from);
  const to = x(event.to);
  const way = to > from ? 1 : -1;
  const kind = event.kind || "";
  return [
    s("line", { class: `arrow ${kind}`, x1: from, x2: to - way * 8, y1: y, y2: y }),
    s("path", { class: `head ${kind}`, d: `M${to} ${y}l${-way * 9} -4.5v9z` }),
    s("text.mid", { x: (from + to) / 2, y: y - 6 }, event.text),
  ];
}

function note(event, y, x) {
  const wide = Math.min(330, 20 + event.text.length * 6.7);
  const middle = x(event.at);
  return [
    s("rect", { class: `note-box ${event.kind || ""}`, x: middle - wide / 2, y: y - 13, width: wide, height: 24, rx: 7 }),
    s("text.mid", { x: middle, y: y + 4 }, event.text.length > 46 ? `${event.text.slice(0, 45)}…` : event.text, s("title", event.text)),
  ];
}

function since(ms) {
  if (ms < 1000) return `+${Math.round(ms)} ms`;
  if (ms < 60000) return `+${(ms / 1000).toFixed(2)} s`;
  return `+${Math.floor(ms / 60000)}:${String(Math.round((ms % 60000) / 1000)).padStart(2, "0")}`;
}

const ms = (text) => (text ? Date.parse(text) : null);

// From a record (docs/cdr.md).
export function ofRecord(record) {
  const trunks = record.candidates.map(([trunk]) => trunk);
  const sides = [record.account || record.source, "edge", ...trunks];
  const events = [{ at_ms: ms(record.received_at), from: 0, to: 1, text: `INVITE ${record.called || record.called_original}` }];
  const refused = record.outcome === "refused";
  if (record.decided_at) {
    events.push({
      at_ms: ms(record.decided_at), at: 1, kind: refused && !trunks.length ? "bad" : "good",
      text: refused && !trunks.length ? t("refused: {reason}", { reason: record.reason }) : t("admitted by {by}", { by: record.decided_by || t("policy") }),
    });
  }
  record.candidates.forEach(([, status], at) => {
    const [sent, ended] = record.tries[at] || [];
    if (sent) events.push({ at_ms: ms(sent), from: 1, to: at + 2, text: "INVITE" });
    if (ended && status >= 300) events.push({ at_ms: ms(ended), from: at + 2, to: 1, kind: "bad", text: status === 408 ? t("silence") : String(status) });
  });
  const last = Math.max(2, sides.length - 1);
  const both = (at, text, kind) => { if (trunks.length) events.push({ at_ms: ms(at), from: last, to: 1, text, kind }); events.push({ at_ms: ms(at), from: 1, to: 0, text, kind }); };
  if (record.ringing_at) both(record.ringing_at, "180");
  if (record.answered_at) {
    both(record.answered_at, "200", "good");
    if (record.released_at) {
      const by = record.release_side;
      if (by !== "egress") events.push({ at_ms: ms(record.released_at), from: by === "edge" ? 1 : 0, to: by === "edge" ? 0 : 1, text: "BYE" });
      events.push(by === "egress" ? { at_ms: ms(record.released_at), from: last, to: 1, text: "BYE" } : { at_ms: ms(record.released_at), from: 1, to: last, text: "BYE" });
      if (by === "egress") events.push({ at_ms: ms(record.released_at), from: 1, to: 0, text: "BYE" });
    }
  } else if (record.released_at && record.status) {
    events.push({ at_ms: ms(record.released_at), from: 1, to: 0, kind: "bad", text: `${record.status} ${record.reason}` });
  }
  return ladder(sides, inOrder(events));
}

// From a running call.
export function ofCall(call) {
  const sides = [call.row.account || call.row.source, "edge", ...call.tries.map((one) => one.trunk)];
  const events = [{ at_ms: call.row.received_ms, from: 0, to: 1, text: `INVITE ${call.row.called}` }];
  if (call.decided_ms) events.push({ at_ms: call.decided_ms, at: 1, kind: "good", text: t("admitted by {by}", { by: call.decided_by || t("policy") }) });
  call.tries.forEach((one, at) => {
    if (one.sent_ms) events.push({ at_ms: one.sent_ms, from: 1, to: at + 2, text: "INVITE" });
    if (one.ended_ms && one.status >= 300) events.push({ at_ms: one.ended_ms, from: at + 2, to: 1, kind: "bad", text: String(one.status) });
  });
  const last = sides.length - 1;
  for (const [at, text, kind] of [[call.ringing_ms, "180"], [call.row.answered_ms, "200", "good"]]) {
    if (!at) continue;
    if (last > 1) events.push({ at_ms: at, from: last, to: 1, text, kind });
    events.push({ at_ms: at, from: 1, to: 0, text, kind });
  }
  return ladder(sides, inOrder(events));
}

function inOrder(events) {
  return events.map((event, at) => [event, at]).sort((a, b) => a[0].at_ms - b[0].at_ms || a[1] - b[1]).map(([event]) => event);
}
