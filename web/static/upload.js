// Sends a form with a list to the API as it is typed, and says how far the list has come.
"use strict";

const form = document.getElementById("upload");
const fault = document.getElementById("fault");
const progress = document.getElementById("progress");
const says = document.getElementById("says");
const send = document.getElementById("send");
const look = document.getElementById("look");
let idempotencyKey = "";

function refuse(sentence) {
  fault.textContent = sentence;
  fault.hidden = false;
  ready();
  fault.focus();
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// What the browser itself can see to be wrong: the field, in words.
function missing() {
  for (const field of form.elements) {
    if (!field.willValidate || field.checkValidity()) continue;
    field.focus();
    return `${field.labels[0]?.textContent ?? field.name}: ${field.validationMessage}`;
  }
  return "";
}

function body() {
  const data = new FormData(form);
  for (const field of form.querySelectorAll("[data-instant]")) {
    if (field.value) data.set(field.name, new Date(field.value).toISOString());
  }
  // Of fields.js, on a page that has such fields.
  if (typeof nest === "function") nest(data);
  for (const [name, value] of [...data.entries()]) if (value === "") data.delete(name);
  // The file last: whatever else is wrong is said before it has been sent.
  const file = data.get(form.dataset.file);
  data.delete(form.dataset.file);
  data.append(form.dataset.file, file);
  return data;
}

// What became of a list whose entries have no page of their own: in the words of its form, with the rows that were left
// out, and where all of these are to be had.
function told(answer) {
  ready();
  says.textContent = form.dataset.told.replace(/\{(\w+)\}/g, (_, name) => NUMBERS.format(answer[name]));
  const refused = (answer.results ?? []).map(({ line, reason }) => `Line ${NUMBERS.format(line)}: ${reason}`);
  const faults = [...(answer.faults ?? []), ...(answer.warnings ?? []), ...refused];
  const items = faults.map((fault) => Object.assign(document.createElement("li"), { textContent: fault }));
  document.getElementById("faults").replaceChildren(...items);
  const added = document.getElementById("shown"), rejects = document.getElementById("rejects");
  if (!rejects) return;
  added.hidden = !answer.added;
  rejects.hidden = !refused.length;
  rejects.href = answer.rejects_url;
}

// What is sent again unchanged is done once.
form.addEventListener("input", () => { idempotencyKey = ""; });

// A request with the form as it stands, that says how far it has come; null where something is missing.
function prepared(target, accept) {
  fault.hidden = true;
  const wrong = missing();
  if (wrong) {
    refuse(wrong);
    return null;
  }
  const request = new XMLHttpRequest();
  request.open("POST", target);
  request.setRequestHeader("Accept", accept);
  request.setRequestHeader("X-CSRF-Token", document.querySelector('meta[name="csrf-token"]').content);
  request.upload.onprogress = (event) => {
    progress.value = event.lengthComputable ? event.loaded / event.total : 0;
    says.textContent = `${Math.round(100 * progress.value)} % sent`;
  };
  request.upload.onload = () => { says.textContent = "Reading the list …"; };
  request.onerror = () => refuse("The server cannot be reached. Nothing is lost: send it again.");
  return request;
}

function sent(request) {
  for (const button of [send, look]) if (button) button.disabled = true;
  progress.hidden = false;
  progress.value = 0;
  request.send(body());
}

function ready() {
  for (const button of [send, look]) if (button) button.disabled = false;
  progress.hidden = true;
  says.textContent = "";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const request = prepared(form.dataset.target, "application/json");
  if (!request) return;
  idempotencyKey ||= newKey();
  request.setRequestHeader("Idempotency-Key", idempotencyKey);
  request.onload = () => {
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch { /* Said below. */ }
    if (!form.dataset.after && request.status >= 200 && request.status < 300) return told(answer);
    if (request.status === 201) return window.location.assign(form.dataset.after + encodeURIComponent(answer.id));
    return refuse(answer.detail ?? "The server gave no answer that this page understands.");
  };
  sent(request);
});

// What the list would do, before anything of it is kept.
look?.addEventListener("click", () => {
  const request = prepared(form.dataset.doctor, "text/html");
  if (!request) return;
  request.onload = () => {
    ready();
    if (request.status !== 200) return refuse("The list could not be looked at. Load the page again, and choose it once more.");
    const parsed = new DOMParser().parseFromString(request.responseText, "text/html");
    localize(parsed);
    const doctor = document.getElementById("doctor");
    doctor.hidden = false;
    doctor.replaceChildren(...parsed.body.childNodes);
    document.getElementById("corrected")?.addEventListener("click", () => corrected(download));
    document.getElementById("use-corrected")?.addEventListener("click", () => corrected(use));
    (document.getElementById("doctor-says") ?? doctor).focus();
    const refused = document.getElementById("use-corrected") !== null;
    look.className = "quiet";
    send.className = refused ? "quiet" : "main";
  };
  sent(request);
});

// The list as it can be imported, for `then`.
function corrected(then) {
  const request = prepared(form.dataset.corrected, "text/csv");
  if (!request) return;
  request.responseType = "blob";
  request.onload = () => {
    ready();
    if (request.status !== 200) return refuse("The corrected list could not be made. Choose the list once more.");
    then(request.response);
  };
  sent(request);
}

function download(list) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(list), download: "corrected.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
}

// In the place of the one that was chosen, and looked at anew: nobody opens another program to mend a header.
function use(list) {
  const field = form.elements[form.dataset.file], chosen = new DataTransfer();
  chosen.items.add(new File([list], "corrected.csv", { type: "text/csv" }));
  field.files = chosen.files;
  idempotencyKey = "";
  look.click();
}
