// What every page needs: times in the viewer's zone, numbers as his browser writes them, parts that are read again.
"use strict";

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const SHORT_PARTS = { hour: "2-digit", minute: "2-digit" };
const SHORT = new Intl.DateTimeFormat(undefined, SHORT_PARTS);
const DAY_PARTS = { day: "numeric", month: "short", year: "numeric" };
const DAY = new Intl.DateTimeFormat(undefined, DAY_PARTS);
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const NUMBERS = new Intl.NumberFormat();
const TENTHS = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const PATIENCE_MS = 10000;

function sameDay(one, other) {
  return one.toDateString() === other.toDateString();
}

function moment(at, kind) {
  if (kind === "clock") return CLOCK.format(at);
  if (kind === "day") return DAY.format(at);
  if (kind === "dated") return `${DAY.format(at)}, ${CLOCK.format(at)}`;
  const clock = kind === "second" ? CLOCK : SHORT;
  return sameDay(at, new Date()) ? clock.format(at) : `${DAY.format(at)}, ${clock.format(at)}`;
}

// By the clocks of another zone, with the day where that is another than here; as the server wrote it where the browser
// does not know the zone.
function there(at, zone, written) {
  try {
    const short = new Intl.DateTimeFormat(undefined, { ...SHORT_PARTS, timeZone: zone }).format(at);
    const day = new Intl.DateTimeFormat(undefined, { ...DAY_PARTS, timeZone: zone }).format(at);
    return day === DAY.format(at) ? short : `${day}, ${short}`;
  } catch {
    return written;
  }
}

// Everything below `root` as the viewer's browser writes it.
function localize(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime), { show, zone } = element.dataset;
    if (Number.isNaN(at.getTime())) continue;
    element.textContent = zone ? there(at, zone, element.textContent) : moment(at, show);
    element.title = FULL.format(at);
  }
  // Of steps that follow one another the day stands with the first, and wherever it is another than before.
  for (const steps of root.querySelectorAll(".steps")) {
    let before = null;
    for (const element of steps.querySelectorAll("li > time")) {
      const at = new Date(element.dateTime);
      element.textContent = moment(at, before && sameDay(at, before) ? "clock" : "dated");
      before = at;
    }
  }
  for (const element of root.querySelectorAll("data[value]")) {
    element.textContent = (element.dataset.show === "tenths" ? TENTHS : NUMBERS).format(Number(element.value));
  }
}

// What somebody opened, and what he was put on, is his.
const HIS = new Set(["open", "tabindex"]);

// Make `old` what `fresh` is, and leave all of it that is so already: whoever is in there stays where he is, with what
// he opened and typed.
function renew(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !HIS.has(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value && !HIS.has(name)) old.setAttribute(name, value);
  exchange(old, fresh);
}

// The same of what is within them. What has an id is known by it, wherever it stands; the rest by its place.
function exchange(old, fresh) {
  const wanted = new Map([...fresh.children].map((one) => [one.id, one.nodeName])), named = new Map();
  for (const one of [...old.children]) {
    if (!one.id) continue;
    if (wanted.get(one.id) === one.nodeName) named.set(one.id, one);
    else one.remove();
  }
  let at = old.firstChild;
  for (const want of [...fresh.childNodes]) {
    let have = named.get(want.id);
    // Never past what is known to one that stands behind it: what is moved loses the focus.
    while (have && at && at !== have && !at.id) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    if (!have && at && !at.id && !want.id && at.nodeName === want.nodeName) have = at;
    if (!have) {
      old.insertBefore(want, at);
      continue;
    }
    if (have === at) at = at.nextSibling;
    else old.insertBefore(have, at);
    renew(have, want);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// Do `work` within `element`: whoever is in there is on the same thing afterwards, at the same letter, or where that is
// gone on what it stood in.
function holding(element, work) {
  const held = document.activeElement, names = [];
  for (let one = held; one && element.contains(one); one = one.parentElement) if (one.id) names.push(one.id);
  const caret = held && "selectionStart" in held ? [held.selectionStart, held.selectionEnd] : [null, null];
  work();
  if (document.activeElement === held) return;
  for (const name of names) {
    const found = document.getElementById(name);
    if (!found) continue;
    found.focus({ preventScroll: true });
    if (document.activeElement !== found) {
      found.tabIndex = -1;
      found.focus({ preventScroll: true });
    }
    if (name === held.id && caret[0] !== null) found.setSelectionRange(...caret);
    return;
  }
}

// Put what the server says now in the place of `element`; what it refuses leaves it as it was. True where it was done.
// `query` says how: with "?now" it is no second old, which it may be otherwise. An answer is not waited for longer than
// so many ms.
async function reread(element, query = "", patience = PATIENCE_MS) {
  let text;
  try {
    const response = await fetch(element.dataset.part + query, { headers: { Accept: "text/html" }, redirect: "error", signal: AbortSignal.timeout(patience) });
    if (!response.ok) return false;
    text = await response.text();
  } catch {
    return false;
  }
  const parsed = new DOMParser().parseFromString(text, "text/html");
  localize(parsed);
  holding(element, () => exchange(element, parsed.body));
  return true;
}

// How what is shown stands: its kind, words that are read out where they change, and a clock, which nobody is told of.
function tell(kind, words, clock = "") {
  const live = document.getElementById("live");
  if (live.dataset.state !== kind) live.dataset.state = kind;
  for (const [name, text] of [["live-says", words], ["live-at", clock]]) {
    const element = document.getElementById(name);
    if (element.textContent !== text) element.textContent = text;
  }
}

localize(document);

// Parts that are read again by themselves, while somebody looks, until what they tell of is over; a quiet one at once,
// too, and says nothing of that.
for (const element of document.querySelectorAll("[data-part][data-every]")) {
  const quiet = "quiet" in element.dataset, every = Number(element.dataset.every) * 1000;
  let read = Date.now(), reading = false;
  const again = async (query) => {
    if (reading || (document.hidden && !query)) return;
    if (element.querySelector("[data-over]")) {
      clearInterval(timer);
      tell("live", "over");
      return;
    }
    reading = true;
    const done = await reread(element, query, Math.max(every, PATIENCE_MS));
    reading = false;
    if (done) read = Date.now();
    if (quiet) return;
    if (done) tell("live", "live", `· as of ${CLOCK.format(read)}`);
    else tell("away", `Out of reach: this is how it was at ${CLOCK.format(read)}.`);
  };
  const timer = setInterval(again, every);
  if (quiet) again("?now");
}

for (const element of document.querySelectorAll("select[data-submit]")) {
  element.addEventListener("change", () => element.form.requestSubmit());
}

// A time that the server takes in UTC is asked for in the viewer's own zone.
for (const field of document.querySelectorAll("input[type=datetime-local][data-utc]")) {
  const local = (at) => new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  if (field.value) field.value = local(new Date(`${field.value}Z`));
  else if (field.dataset.tomorrow) {
    const at = new Date();
    at.setDate(at.getDate() + 1);
    at.setHours(Number(field.dataset.tomorrow), 0, 0, 0);
    field.value = local(at);
  }
  for (const note of field.form.querySelectorAll("[data-utc-note]")) note.remove();
  field.form.addEventListener("formdata", (event) => {
    if (field.value && field.name) event.formData.set(field.name, new Date(field.value).toISOString());
  });
}

// Reports and plots are told by the viewer's own clocks, unless others are asked for.
for (const link of document.querySelectorAll('a[href^="/reports"], a[data-zoned]')) {
  const address = new URL(link.href);
  if (!address.searchParams.has("zone")) address.searchParams.set("zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");
  link.href = address.href;
}
