// One campaign, live: its stream's events gathered, and drawn twice a second at most. What the server says goes before
// what was counted here: outcomes and last calls are read again while calls end.
"use strict";

const DRAW_MS = 500;
const READ_MS = 2000;
const LATE_MS = 10000;
const AGAIN_MS = 3000;
// A part of the page is so much older than the answer that brings it, at most: what was heard since is maybe not in it.
const PART_MS = 1500;
const SPAN = 180;
// A word that holds while nothing is asked for is written once a minute (web/pace_gaps.py).
const SAID_AGAIN = 61;
const ROWS = 15;
const NEW_ROWS = 3;
const page = document.getElementById("campaign");
const parts = { head: document.getElementById("head"), calls: document.getElementById("calls") };
const CAPS = JSON.parse(page.dataset.caps), RATES = JSON.parse(page.dataset.rates);
// A rate so many times as high as all else would leave no height to that: it is named above the plot.
const FAR = 3;
const LINE_PX = 14;
const state = { words: JSON.parse(page.dataset.words), snapshot: null, fresh: new Map(), begun: new Map(), caps: new Map(), said: { at: 0, cap: null }, rates: [], headOld: false, callsOld: false, moved: 0, heard: 0, best: Infinity, behind: 0, stream: null, over: false };

function heard(at) {
  state.heard = Date.now();
  const apart = state.heard - Date.parse(at);
  state.best = Math.min(state.best, apart);
  // Against the quickest so far: what the two clocks differ by is no delay.
  state.behind = Math.max(0, apart - state.best);
}

function put(id, text) {
  const element = document.getElementById(id);
  if (element && element.textContent !== text) element.textContent = text;
}

function percent(part, whole) {
  if (!whole) return "–";
  const rounded = Math.round((100 * part) / whole);
  if (part && !rounded) return `< ${NUMBERS.format(1)} %`;
  return part < whole && rounded === 100 ? `> ${NUMBERS.format(99)} %` : `${NUMBERS.format(rounded)} %`;
}

function drawCounts() {
  const { counts, in_flight: up, calls_per_second: rate } = state.snapshot;
  const over = counts.completed + counts.failed + counts.cancelled;
  put("done", percent(over, counts.total));
  put("n-total", NUMBERS.format(counts.total));
  put("rate", NUMBERS.format(rate));
  put("n-up", NUMBERS.format(up));
  const numbers = { completed: counts.completed, failed: counts.failed, "busy-now": up, pending: counts.pending, cancelled: counts.cancelled };
  let x = 0;
  for (const [name, number] of Object.entries(numbers)) {
    put(`n-${name}`, NUMBERS.format(number));
    const width = number ? Math.max(3, (1000 * number) / (counts.total || 1)) : 0;
    const rect = document.getElementById(`bar-${name}`);
    rect.setAttribute("x", x.toFixed(1));
    rect.setAttribute("width", width.toFixed(1));
    x += width;
  }
}

function cell(row, className, text) {
  const made = row.insertCell();
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

// The last calls that ended since the last drawing, a few: a row each, above the others, until the server's own, which
// say more, take their place.
function drawRows() {
  const body = document.querySelector("#last tbody");
  if (!body) return;
  for (const event of [...state.fresh.values()].slice(-NEW_ROWS)) {
    if (document.getElementById(`call-${event.call_id}`)) continue;
    const row = body.insertRow(0);
    row.id = `call-${event.call_id}`;
    cell(row, "keep", CLOCK.format(new Date(event.at)));
    const link = document.createElement("a");
    link.href = `${page.dataset.story}/${encodeURIComponent(event.contact_id)}`;
    link.id = `who-${event.call_id}`;
    link.textContent = event.phone_number;
    cell(row, "keep", "").append(link);
    const chip = document.createElement("span");
    const [kind, words] = state.words[event.disposition] ?? ["rest", event.disposition.replaceAll("_", " ")];
    chip.className = `chip ${kind}`;
    chip.textContent = words;
    cell(row, "how", "").append(chip);
    cell(row, "break cause", (event.cause ?? "").replaceAll("_", " ").toLowerCase());
    // What else there is of it the server says a moment later.
    for (let rest = 0; rest < 3; rest++) cell(row, "", "");
  }
  holding(body, () => { while (body.rows.length > ROWS) body.deleteRow(-1); });
  state.fresh.clear();
}

const SVG = "http://www.w3.org/2000/svg";

function shape(kind, attributes, text) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Stretches of seconds in which the same thing held it back; a second or two between them are of the stretch.
function runsOf(seconds) {
  const runs = [];
  seconds.forEach((second, index) => {
    const cap = state.caps.get(second), last = runs.at(-1);
    if (!cap) return;
    if (last && last.cap === cap && index - last.last <= 3) last.last = index;
    else runs.push({ cap, first: index, last: index });
  });
  return runs;
}

function rateWords(rate) {
  return `${RATES[rate.cap] ?? rate.cap.replaceAll("_", " ")} ${NUMBERS.format(rate.calls_per_second)}/s`;
}

// Each rate at its height, with its name; names of lines that lie close together stand above the uppermost.
function drawRates(near, py, left, right) {
  const drawn = [], named = [];
  for (const rate of [...near].sort((one, other) => other.calls_per_second - one.calls_per_second)) {
    const level = py(rate.calls_per_second), last = named.at(-1);
    drawn.push(shape("line", { class: "cap", x1: left, x2: right, y1: level, y2: level }));
    if (last && level - last.level < LINE_PX) last.words.push(rateWords(rate));
    else named.push({ level, words: [rateWords(rate)] });
  }
  for (const { level, words } of named) drawn.push(shape("text", { class: "note", x: right - 4, y: level - 4, "text-anchor": "end" }, words.join(", ")));
  return drawn;
}

// The same as a table beneath it.
function tableRates() {
  const table = document.getElementById("plot-rates");
  if (!table) return;
  const rows = state.rates.map((rate) => {
    const row = document.createElement("tr"), name = document.createElement("th");
    name.scope = "row";
    name.textContent = RATES[rate.cap] ?? rate.cap.replaceAll("_", " ");
    row.append(name);
    cell(row, "n", NUMBERS.format(rate.calls_per_second));
    return row;
  });
  table.hidden = !rows.length;
  table.tBodies[0].replaceChildren(...rows);
}

// Drawn for the width that it has: its words stay as large as the page's.
function drawPlot() {
  const plot = document.getElementById("plot");
  if (!plot) return;
  const width = Math.max(280, plot.clientWidth), height = 180, left = 34, bottom = height - 24;
  const now = Math.floor((Date.now() - (Number.isFinite(state.best) ? state.best : 0)) / 1000) - 1;
  const seconds = Array.from({ length: SPAN }, (_, index) => now - SPAN + 1 + index);
  heldStill(now);
  const rates = seconds.map((second) => state.begun.get(second) ?? 0);
  const heights = state.rates.map((rate) => rate.calls_per_second);
  const busiest = Math.max(4, ...rates, heights.length ? Math.min(...heights) : 0);
  const near = state.rates.filter((rate) => rate.calls_per_second <= FAR * busiest);
  const far = state.rates.filter((rate) => !near.includes(rate)), top = far.length ? 24 + LINE_PX : 24;
  const most = Math.max(busiest, ...near.map((rate) => rate.calls_per_second)), step = Math.ceil(most / 4), high = step * 4;
  const px = (index) => left + ((width - left - 4) * index) / (SPAN - 1);
  const py = (rate) => bottom - ((bottom - top) * rate) / high;
  const drawn = [];
  for (let rate = 0; rate <= high; rate += step) {
    drawn.push(shape("line", { x1: left, x2: width - 4, y1: py(rate), y2: py(rate) }));
    drawn.push(shape("text", { x: left - 6, y: py(rate) + 4, "text-anchor": "end" }, NUMBERS.format(rate)));
  }
  const every = width < 500 ? 90 : 60;
  for (let index = SPAN - 1; index >= 0; index -= every) {
    const last = index === SPAN - 1;
    const text = last ? "now" : SHORT.format(new Date(seconds[index] * 1000));
    drawn.push(shape("text", { x: px(index), y: height - 6, "text-anchor": last ? "end" : "middle" }, text));
  }
  const line = rates.map((rate, index) => `${px(index).toFixed(1)},${py(rate).toFixed(1)}`).join(" ");
  drawn.push(shape("polygon", { class: "area", points: `${left},${bottom} ${line} ${px(SPAN - 1)},${bottom}` }));
  drawn.push(shape("polyline", { class: "rate", points: line }));
  if (far.length) drawn.push(shape("text", { class: "note", x: width - 8, y: 12, "text-anchor": "end" }, `↑ ${far.map(rateWords).join(", ")}`));
  const bound = new Map(near.map((rate) => [rate.cap, py(rate.calls_per_second)]));
  let free = left;
  for (const { cap, first, last } of runsOf(seconds)) {
    const level = bound.get(cap) ?? bottom - 4;
    drawn.push(shape("line", { class: "held", x1: px(first), x2: px(last + 1), y1: level, y2: level }));
    // Where its own line is, that has its name.
    if (bound.has(cap)) continue;
    const words = CAPS[cap] ?? cap.replaceAll("_", " "), long = words.length * 6.4;
    const x = Math.min(px(first) + 4, width - long - 4);
    // Where it would stand on another, the sentence above and the page of that minute say it.
    if (x < free || px(last + 1) - px(first) < Math.min(long, 40)) continue;
    drawn.push(shape("text", { class: "note", x, y: level - 4 }, words));
    free = x + long + 8;
  }
  drawn.push(...drawRates(near, py, left, width - 4));
  plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
  plot.replaceChildren(...drawn);
  for (const second of state.begun.keys()) if (second < now - SPAN) state.begun.delete(second);
  for (const second of state.caps.keys()) if (second < now - SPAN) state.caps.delete(second);
}

// What held it back in the last of these seconds, and does so still, holds it until now: where it was written it is not
// written again for a while.
function heldStill(now) {
  const { at, cap } = state.said;
  if (!cap || page.dataset.status !== "running" || page.dataset.reason !== cap || now - at > SAID_AGAIN) return;
  for (let second = at + 1; second <= now; second++) if (!state.begun.get(second)) state.caps.set(second, cap);
}

// What the plot begins with, and afterwards what held the campaign back in each second.
async function readPace() {
  const from = new Date(Date.now() - (SPAN + SAID_AGAIN) * 1000).toISOString();
  try {
    const response = await fetch(`${page.dataset.pacing}?from=${encodeURIComponent(from)}`);
    if (!response.ok) return;
    const { pacing, rates } = await response.json();
    state.rates = rates;
    tableRates();
    for (const step of pacing) {
      const second = Math.floor(Date.parse(step.at) / 1000);
      state.begun.set(second, Math.max(step.admitted, state.begun.get(second) ?? 0));
      const { at, cap } = state.said;
      if (cap && second - at <= SAID_AGAIN) for (let held = at + 1; held < second; held++) state.caps.set(held, cap);
      if (step.cap) state.caps.set(second, step.cap);
      if (second >= at) state.said = { at: second, cap: step.cap };
    }
    if (!document.getElementById("plot")) return;
    const held = state.caps.size ? " Where a line is broken and thick, that held it back." : "";
    put("plot-says", `Calls begun each second, for three minutes.${held}`);
  } catch {
    // The stream says that the server is away.
  }
}

function moved(event) {
  heard(event.at);
  if (event.status === "originated") {
    const second = Math.floor(Date.parse(event.at) / 1000);
    state.begun.set(second, (state.begun.get(second) ?? 0) + 1);
  }
  if (!event.call_id || !event.disposition || !["completed", "failed", "pending", "cancelled"].includes(event.status)) return;
  state.fresh.delete(event.call_id);
  state.fresh.set(event.call_id, event);
  if (state.fresh.size > NEW_ROWS) state.fresh.delete(state.fresh.keys().next().value);
  state.callsOld = true;
  state.moved = Date.now();
}

function snapshot(message) {
  state.snapshot = JSON.parse(message.data);
  heard(state.snapshot.at);
  const { status, blocked_reason: reason } = state.snapshot;
  if (status !== page.dataset.status || (reason ?? "") !== page.dataset.reason) {
    page.dataset.status = status;
    page.dataset.reason = reason ?? "";
    state.headOld = true;
  }
}

function readAll() {
  state.headOld = true;
  state.callsOld = true;
  state.moved = Date.now();
}

function begunAnew() {
  readAll();
  state.begun.clear();
  readPace();
}

function follow() {
  state.stream = new EventSource(page.dataset.stream);
  state.stream.onmessage = snapshot;
  state.stream.addEventListener("contact", (message) => moved(JSON.parse(message.data)));
  state.stream.addEventListener("campaign", (message) => { heard(JSON.parse(message.data).at); state.headOld = true; });
  state.stream.addEventListener("end", readAll);
  state.stream.addEventListener("reset", begunAnew);
  state.stream.onopen = () => { state.heard = Date.now(); };
  state.stream.onerror = () => { if (state.stream.readyState === EventSource.CLOSED) askAgain(); };
}

// One that is answered with an error, as by a proxy whose server starts again, never asks again by itself and does not
// say which it was. What was missed by then the server tells with the new one.
async function askAgain() {
  for (;;) {
    await new Promise((go) => setTimeout(go, AGAIN_MS * (0.5 + Math.random())));
    const asked = new AbortController(), late = setTimeout(() => asked.abort(), LATE_MS);
    try {
      const { status, headers } = await fetch(page.dataset.stream, { signal: asked.signal });
      if (status === 200 && (headers.get("Content-Type") ?? "").startsWith("text/event-stream")) {
        begunAnew();
        return follow();
      }
      if (status < 500 && status !== 429) {
        state.over = true;
        return undefined;
      }
    } catch {
      // Out of reach still, or it does not answer.
    } finally {
      clearTimeout(late);
      asked.abort();
    }
  }
}

follow();

function drawState() {
  const { readyState } = state.stream, since = state.heard ? CLOCK.format(new Date(state.heard)) : "";
  const done = ["completed", "failed"].includes(page.dataset.status);
  if (done && readyState !== EventSource.CONNECTING) return tell("live", "over");
  if (state.over) return tell("away", "Not followed any more: the session is over, or this may not be seen any more. Load the page again.");
  if (readyState === EventSource.CLOSED) return tell("away", `The server does not let us listen${since && ` since ${since}`}: it is asked again and again. Calls go on.`);
  if (readyState === EventSource.CONNECTING) return state.heard ? tell("away", `Out of reach since ${since}. Calls go on; nothing is missed here once it is back.`) : tell("late", "connecting …");
  if (["draft", "paused"].includes(page.dataset.status)) return tell("live", "live");
  if (Date.now() - state.heard > LATE_MS) return tell("late", `Nothing heard since ${since}`);
  return tell(state.behind > 2000 ? "late" : "live", "live", state.behind > 500 ? `· ${TENTHS.format(state.behind / 1000)} s behind` : "");
}

setInterval(() => {
  drawState();
  if (document.hidden) return;
  if (state.snapshot) drawCounts();
  if (state.fresh.size) drawRows();
}, DRAW_MS);
setInterval(() => { if (!document.hidden) drawPlot(); }, 1000);

setInterval(async () => {
  if (document.hidden) return;
  if (state.headOld) state.headOld = !(await reread(parts.head));
  if (state.callsOld) {
    const asked = Date.now();
    state.callsOld = !(await reread(parts.calls)) || state.moved > asked - PART_MS;
    const last = document.getElementById("last");
    if (last) {
      const placed = Number(last.dataset.placed);
      put("answered", percent(Number(last.dataset.pickedUp), placed));
      put("placed", NUMBERS.format(placed));
    }
  }
}, READ_MS);
// While something holds it back, who waits and when the next is called changes without a word of it on the stream.
setInterval(() => { if (page.dataset.status === "running") state.headOld = true; }, 5 * READ_MS);

readPace().then(drawPlot);
setInterval(() => { if (!document.hidden && page.dataset.status === "running") readPace(); }, 5 * READ_MS);
