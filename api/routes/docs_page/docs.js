"use strict";
// Reads the OpenAPI document and makes a page of it from which every operation can be tried.
const METHODS = ["get", "post", "put", "patch", "delete"];
const SHOWN_CHARACTERS = 200000;
const keyBox = document.getElementById("key");
let spec = null;

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function resolved(node) {
  let found = node || {};
  while (found.$ref) found = found.$ref.slice(2).split("/").reduce((at, part) => at[part], spec);
  return found;
}

function written(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function typeOf(given) {
  const schema = resolved(given);
  const several = schema.oneOf || schema.anyOf;
  if ("const" in schema) return JSON.stringify(schema.const);
  if (several) return several.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(" | ");
  const type = [].concat(schema.type || "any").join(" or ");
  if (schema.items) return `${type} of ${typeOf(schema.items)}`;
  return schema.title && type === "object" ? schema.title : schema.format ? `${type} (${schema.format})` : type;
}

function rules(given) {
  const schema = resolved(given);
  const words = [];
  const range = (low, high, unit) => {
    if (low !== undefined && high !== undefined) words.push(`${low} to ${high}${unit}`);
    else if (low !== undefined) words.push(`at least ${low}${unit}`);
    else if (high !== undefined) words.push(`at most ${high}${unit}`);
  };
  range(schema.minimum, schema.maximum, "");
  range(schema.minLength, schema.maxLength, " characters");
  if (schema.default !== undefined) words.push(`default ${JSON.stringify(schema.default)}`);
  return words.join(", ");
}

function fieldRows(given, prefix, depth) {
  const schema = resolved(given);
  if (schema.items) return fieldRows(schema.items, `${prefix}[].`, depth);
  const found = [];
  for (const [name, property] of Object.entries(schema.properties || {})) {
    const inner = resolved(property);
    const required = (schema.required || []).includes(name) ? "required" : "";
    const notes = [required, rules(inner), inner.description || ""].filter(Boolean).join(" · ");
    found.push(make("tr", {}, make("th", { scope: "row" }, make("code", {}, prefix + name)),
      make("td", {}, typeOf(property)), make("td", {}, notes)));
    if (depth < 3 && (inner.properties || inner.items)) {
      found.push(...fieldRows(inner, inner.items ? prefix + name : `${prefix}${name}.`, depth + 1));
    }
    for (const kind of inner.oneOf || []) {
      found.push(make("tr", {}, make("td", {}), make("td", {}, resolved(kind).title || typeOf(kind)),
        make("td", {}, resolved(kind).description || "")));
      found.push(...fieldRows({ ...resolved(kind) }, `${prefix}${name}.`, 3));
    }
  }
  return found;
}

function fieldTable(schema, caption) {
  const found = fieldRows(schema, "", 0);
  if (!found.length) return null;
  const head = make("tr", {}, ...["Field", "Type", "Rules"].map((text) => make("th", { scope: "col" }, text)));
  return make("details", {}, make("summary", {}, caption), make("table", {}, make("thead", {}, head), make("tbody", {}, ...found)));
}

function inputFor(name, given, where, required, example) {
  const schema = resolved(given);
  const about = [where, typeOf(schema), rules(schema), schema.description || ""].filter(Boolean).join(" · ");
  let input;
  if (schema.format === "binary") input = make("input", { type: "file" });
  else if (schema.enum || schema.type === "boolean") {
    input = make("select", {}, make("option", { value: "" }, ""), ...(schema.enum || ["true", "false"]).map((word) => make("option", {}, String(word))));
  } else input = make("input", { type: "text", autocomplete: "off", spellcheck: "false", value: example });
  input.name = name;
  input.dataset.where = where;
  input.required = Boolean(required);
  return make("label", {}, `${name}${required ? " (required)" : ""}`, make("span", { class: "soft" }, about), input);
}

function bodyInputs(operation) {
  const content = Object.entries(resolved(operation.requestBody).content || {});
  if (!content.length) return null;
  const place = make("div", {});
  const choice = make("select", { name: "content-type" }, ...content.map(([type]) => make("option", {}, type)));
  const fill = () => {
    const media = resolved(operation.requestBody).content[choice.value];
    const table = fieldTable(media.schema, "Fields of the body");
    if (choice.value === "multipart/form-data") {
      const schema = resolved(media.schema);
      place.replaceChildren(...Object.entries(schema.properties).map(([name, property]) => {
        const text = (media.example || {})[name];
        return inputFor(name, property, "form", (schema.required || []).includes(name), typeof text === "object" ? "" : text);
      }), table || "");
    } else {
      const area = make("textarea", { name: "body", spellcheck: "false" }, written(media.example || {}));
      place.replaceChildren(make("label", {}, "Body", area), table || "");
    }
  };
  choice.addEventListener("change", fill);
  fill();
  return make("div", {}, make("label", {}, "Content type", choice), place);
}

function requestOf(form, method, path) {
  const headers = new Headers();
  const query = new URLSearchParams();
  const data = new FormData();
  let address = path;
  if (keyBox.value) headers.set("Authorization", `Bearer ${keyBox.value.trim()}`);
  for (const input of form.querySelectorAll("[data-where]")) {
    const { where } = input.dataset;
    const value = input.type === "file" ? input.files[0] : input.value;
    if (value === undefined || value === "") continue;
    if (where === "path") address = address.replace(`{${input.name}}`, encodeURIComponent(value));
    else if (where === "query") query.set(input.name, value);
    else if (where === "header") headers.set(input.name, value);
    else data.set(input.name, value);
  }
  const type = form.elements["content-type"]?.value;
  const text = form.elements.body?.value ?? "";
  let body;
  if (type === "multipart/form-data") body = data;
  else if (type && text.trim()) {
    headers.set("Content-Type", type);
    body = text;
  }
  const search = query.toString();
  return [address + (search ? `?${search}` : ""), { method: method.toUpperCase(), headers, body, redirect: "manual" }];
}

async function send(form, method, path, result, stopButton) {
  const [address, options] = requestOf(form, method, path);
  const aborted = new AbortController();
  const line = make("p", { class: "status", role: "status" }, `${options.method} ${address} …`);
  const output = make("pre", { tabindex: "0", "aria-label": "Body of the response" });
  result.replaceChildren(make("h3", {}, "Response"), line);
  stopButton.disabled = false;
  stopButton.onclick = () => aborted.abort();
  const began = performance.now();
  try {
    const response = await fetch(address, { ...options, signal: aborted.signal });
    line.textContent = `${response.status} ${response.statusText} after ${Math.round(performance.now() - began)} ms (${options.method} ${address})`;
    line.classList.add(response.ok ? "good" : "bad");
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    result.append(make("details", {}, make("summary", {}, "Headers"), make("pre", {}, headers)), output);
    await show(response, output);
  } catch (error) {
    if (error.name === "AbortError") line.append(" (stopped)");
    else line.textContent = `The request failed: ${error.message}`;
  }
  stopButton.disabled = true;
}

async function show(response, output) {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (reader) {
    const { done, value } = await reader.read();
    text = (text + decoder.decode(value, { stream: !done })).slice(-SHOWN_CHARACTERS);
    output.textContent = text;
    if (done) break;
  }
  if (response.headers.get("Content-Type")?.includes("json") && text) {
    try {
      output.textContent = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      output.textContent = text;
    }
  }
  if (!text) output.textContent = "(no body)";
}

function responses(operation) {
  const found = Object.entries(operation.responses).sort(([one], [other]) => one.localeCompare(other));
  return found.map(([status, given]) => {
    const response = resolved(given);
    const parts = Object.entries(response.content || {}).filter(([type]) => type !== "application/problem+json");
    const inner = parts.flatMap(([type, media]) => [make("p", { class: "soft" }, type),
      media.example === undefined ? null : make("pre", {}, written(media.example)), fieldTable(media.schema || {}, "Fields")]);
    return make("details", {}, make("summary", {}, make("strong", {}, status), ` ${response.description || ""}`), ...inner);
  });
}

function fillOperation(place, method, path, item, operation) {
  const form = make("form", { "aria-label": `Try ${operation.summary || path}` });
  const parameters = [...(item.parameters || []), ...(operation.parameters || [])].map(resolved);
  form.append(...parameters.map((parameter) => inputFor(parameter.name, { ...resolved(parameter.schema), description: parameter.description },
    parameter.in, parameter.required, "")));
  const body = bodyInputs(operation);
  const stopButton = make("button", { type: "button", disabled: true }, "Stop");
  form.append(body || "", make("div", {}, make("button", { type: "submit" }, "Send"), stopButton));
  const result = make("section", { "aria-label": "Response" });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, method, path, result, stopButton);
  });
  place.replaceChildren(operation.description ? make("p", {}, operation.description) : "", make("h3", {}, "Try it"), form, result,
    make("h3", {}, "Responses"), ...responses(operation));
}

function operationBlock(method, path, item, operation) {
  const id = `${method}${path.replace("/api/v1", "").replace(/[^a-z0-9]+/gi, "-")}`;
  const place = make("div", { class: "body" });
  const block = make("details", { class: "operation", id }, make("summary", {}, make("span", { class: `method ${method}` }, method.toUpperCase()),
    make("code", {}, path), make("span", { class: "soft" }, operation.summary || "")), place);
  block.addEventListener("toggle", () => {
    if (block.open && !place.childElementCount) fillOperation(place, method, path, item, operation);
  });
  const link = make("a", { href: `#${id}` }, operation.summary || `${method.toUpperCase()} ${path}`);
  link.addEventListener("click", () => { block.open = true; });
  return [block, make("li", {}, link)];
}

function render() {
  const main = document.getElementById("operations");
  const contents = document.getElementById("contents");
  document.getElementById("version").textContent = spec.info.version;
  document.getElementById("about").textContent = spec.info.description || "";
  main.replaceChildren();
  for (const tag of spec.tags || []) {
    const list = make("ul", {});
    const section = make("section", {}, make("h2", {}, tag.name), make("p", { class: "soft" }, tag.description || ""));
    for (const [path, item] of Object.entries(spec.paths)) {
      for (const method of METHODS.filter((name) => item[name]?.tags?.includes(tag.name))) {
        const [block, entry] = operationBlock(method, path, item, item[method]);
        section.append(block);
        list.append(entry);
      }
    }
    main.append(section);
    contents.append(make("h2", {}, tag.name), list);
  }
  const named = document.getElementById(location.hash.slice(1));
  if (named?.matches("details")) {
    named.open = true;
    named.scrollIntoView();
  }
}

keyBox.value = sessionStorage.getItem("carillon-key") || "";
keyBox.addEventListener("input", () => sessionStorage.setItem("carillon-key", keyBox.value));
fetch("/api/v1/openapi.json").then((response) => response.json()).then((found) => {
  spec = found;
  render();
}).catch((error) => {
  document.getElementById("loading").textContent = `The document could not be read: ${error.message}`;
});
