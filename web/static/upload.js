// Sends a form with a list to the API as it is typed, and says how far the list has come.
"use strict";

const form = document.getElementById("upload");
const fault = document.getElementById("fault");
const progress = document.getElementById("progress");
const says = document.getElementById("says");
const send = document.getElementById("send");
let idempotencyKey = "";

function refuse(sentence) {
  fault.textContent = sentence;
  fault.hidden = false;
  progress.hidden = true;
  says.textContent = "";
  send.disabled = false;
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
    return `${form.querySelector(`label[for="${field.id}"]`).textContent}: ${field.validationMessage}`;
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

// What became of a list whose entries have no page of their own.
function told(answer) {
  progress.hidden = true;
  send.disabled = false;
  const count = (number) => NUMBERS.format(number);
  says.textContent = `${count(answer.rows)} rows: ${count(answer.added)} entered, ${count(answer.unchanged)} were there already, ${count(answer.invalid)} cannot be read.`;
  const faults = answer.faults.map((fault) => Object.assign(document.createElement("li"), { textContent: fault }));
  document.getElementById("faults").replaceChildren(...faults);
}

// What is sent again unchanged is done once.
form.addEventListener("input", () => { idempotencyKey = ""; });

form.addEventListener("submit", (event) => {
  event.preventDefault();
  fault.hidden = true;
  const wrong = missing();
  if (wrong) return refuse(wrong);
  idempotencyKey ||= newKey();
  const request = new XMLHttpRequest();
  request.open("POST", form.dataset.target);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("Idempotency-Key", idempotencyKey);
  request.setRequestHeader("X-CSRF-Token", document.querySelector('meta[name="csrf-token"]').content);
  request.upload.onprogress = (event) => {
    progress.value = event.lengthComputable ? event.loaded / event.total : 0;
    says.textContent = `${Math.round(100 * progress.value)} % sent`;
  };
  request.upload.onload = () => { says.textContent = "Reading the list …"; };
  request.onerror = () => refuse("The server cannot be reached. Nothing is lost: send it again.");
  request.onload = () => {
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch { /* Said below. */ }
    if (!form.dataset.after && request.status >= 200 && request.status < 300) return told(answer);
    if (request.status === 201) return window.location.assign(form.dataset.after + encodeURIComponent(answer.id));
    return refuse(answer.detail ?? "The server gave no answer that this page understands.");
  };
  send.disabled = true;
  progress.hidden = false;
  progress.value = 0;
  request.send(body());
});
