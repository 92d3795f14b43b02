// Fields of calling hours, holidays and retry rules: the zones that a browser knows, and their JSON for a form that goes
// to the API itself. web/nested_forms.py does the same for the others.
"use strict";

for (const field of document.querySelectorAll("input[data-zone]")) {
  const list = document.getElementById(field.getAttribute("list"));
  for (const zone of Intl.supportedValuesOf?.("timeZone") ?? []) list.append(new Option("", zone));
  if (field.dataset.zone === "mine" && !field.value) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}

// `9:00`, `9` and `09.00` as the API writes them.
function hour(text) {
  const found = /^(\d{1,2})(?:[:.](\d\d))?$/.exec(text);
  return found ? `${found[1].padStart(2, "0")}:${found[2] ?? "00"}` : text;
}

function windowsOf(data) {
  const found = [];
  for (let number = 0; data.has(`windows.${number}.from`); number++) {
    const from = data.get(`windows.${number}.from`).trim(), to = data.get(`windows.${number}.to`).trim();
    if (from || to) found.push({ from: hour(from), to: hour(to), days: data.getAll(`windows.${number}.days`) });
  }
  return found;
}

function holidaysOf(data) {
  const country = data.get("holidays.country").trim().toUpperCase(), region = data.get("holidays.region").trim().toUpperCase();
  const dates = data.get("holidays.dates").split(/[\s,;]+/).filter(Boolean);
  return country || region || dates.length ? { country: country || null, region: region || null, dates } : null;
}

function rulesOf(data) {
  const found = {};
  for (const [name, value] of data.entries()) {
    const [part, disposition, key] = name.split(".");
    const text = part === "retry_rules" ? value.trim() : "";
    if (!text) continue;
    const rule = (found[disposition] ??= {});
    if (key.endsWith("_minutes")) rule[key.replace("minutes", "seconds")] = Math.round(Number(text) * 60);
    else rule[key] = key === "growth" ? text : Number(text);
  }
  for (const [disposition, rule] of Object.entries(found)) if (Object.keys(rule).join() === "growth") delete found[disposition];
  return found;
}

// Puts the JSON of these fields in their place; of what a form leaves as it usually is, nothing.
function nest(data) {
  const hours = data.get("hours"), rules = rulesOf(data);
  const windows = hours === "these" ? windowsOf(data) : null, holidays = hours === "these" ? holidaysOf(data) : null;
  for (const name of [...data.keys()]) if (name === "hours" || name.includes(".")) data.delete(name);
  if (hours === "these") {
    data.set("windows", JSON.stringify(windows));
    data.set("holidays", JSON.stringify(holidays));
  } else {
    if (hours === "any") data.set("windows", "null");
    // The rules of the called countries need one all the same.
    const usual = "needsZone" in document.getElementById("upload").dataset;
    if (!usual && !data.get("purpose") && data.get("policy_packs") !== "on") data.delete("time_zone");
  }
  // They are seen, and said, with “lately” alone.
  if (data.get("duplicates") !== "recent") data.delete("duplicates_hours");
  if (Object.keys(rules).length) data.set("retry_rules", JSON.stringify(rules));
}
