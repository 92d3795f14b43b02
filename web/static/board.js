// What every page needs: times in the viewer's zone, numbers as his browser writes them, parts that are read again.
"use strict";

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const SHORT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const NUMBERS = new Intl.NumberFormat();
const TENTHS = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

function sameDay(one, other) {
  return one.toDateString() === other.toDateString();
}

function moment(at, kind) {
  if (kind === "clock") return CLOCK.format(at);
  if (kind === "day") return DAY.format(at);
  return sameDay(at, new Date()) ? SHORT.format(at) : `${DAY.format(at)}, ${SHORT.format(at)}`;
}

// Everything below `root` as the viewer's browser writes it.
function localize(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    element.textContent = moment(at, element.dataset.show);
    element.title = FULL.format(at);
  }
  for (const element of root.querySelectorAll("data[value]")) {
    element.textContent = (element.dataset.show === "tenths" ? TENTHS : NUMBERS).format(Number(element.value));
  }
}

// Put what the server says now in the place of `element`; what it refuses leaves it as it was. True where it was done.
// `query` says how: with "?now" it is no second old, which it may be otherwise.
async function reread(element, query = "") {
  let response;
  try {
    response = await fetch(element.dataset.part + query, { headers: { Accept: "text/html" }, redirect: "error" });
  } catch {
    return false;
  }
  if (!response.ok) return false;
  const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
  const focused = document.activeElement && element.contains(document.activeElement) ? document.activeElement.id : "";
  localize(parsed);
  element.replaceChildren(...parsed.body.childNodes);
  if (focused) document.getElementById(focused)?.focus();
  return true;
}

localize(document);

// Parts that are read again by themselves, while somebody looks; a quiet one at once, too, and says nothing of that.
for (const element of document.querySelectorAll("[data-part][data-every]")) {
  const quiet = "quiet" in element.dataset;
  const status = quiet ? null : document.getElementById("live");
  if (quiet) reread(element, "?now");
  let read = Date.now();
  setInterval(async () => {
    if (document.hidden || element.matches(":focus-within")) return;
    const done = await reread(element);
    if (done) read = Date.now();
    if (!status) return;
    status.dataset.state = done ? "live" : "away";
    status.textContent = done ? `as of ${CLOCK.format(read)}` : `Out of reach: this is how it was at ${CLOCK.format(read)}.`;
  }, Number(element.dataset.every) * 1000);
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

// Reports are told by the viewer's own clocks, unless others are asked for.
for (const link of document.querySelectorAll('a[href^="/reports"]')) {
  const address = new URL(link.href);
  if (!address.searchParams.has("zone")) address.searchParams.set("zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");
  link.href = address.href;
}
