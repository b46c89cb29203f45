// Shows what the emulator does. All that comes from outside is written as text, never as markup.
"use strict";

const HOME = "/_emulator";
const SHOWN = 200;
const byId = (id) => document.getElementById(id);

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

async function ask(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(HOME + path, options);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.message);
  return told;
}

// Calls.

function tone(status) {
  if (status >= 200 && status < 300) return "good";
  return status >= 500 || status === 444 ? "bad" : "warn";
}

// What the backend says of a refusal, in its own words.
function message(call) {
  if (call.status < 400) return "";
  try {
    const told = JSON.parse(call.answer_body).message;
    return typeof told === "string" ? told : "";
  } catch {
    return "";
  }
}

function body(text, bytes) {
  if (bytes === 0) return [element("p", "soft", "no body")];
  let shown = text;
  try {
    // Cut texts are no JSON, and stay as they came.
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {}
  return [element("pre", "", shown), element("span", "soft", `${bytes.toLocaleString("en")} bytes`)];
}

function side(title, first, headers, text, bytes) {
  const made = document.createElement("section");
  const head = [first, ...headers.map(([name, value]) => `${name}: ${value}`)];
  made.append(element("h3", "", title), element("pre", "", head.join("\n")), ...body(text, bytes));
  return made;
}

// A narrow page hides two of the five columns.
const narrow = matchMedia("(max-width: 820px)");
const columns = () => (narrow.matches ? 3 : 5);
narrow.addEventListener("change", () => {
  for (const cell of document.querySelectorAll(".opened td")) cell.colSpan = columns();
});

// The request and its answer, side by side where there is room.
function openedRow(call) {
  const row = element("tr", "opened");
  const cell = document.createElement("td");
  cell.colSpan = columns();
  const pair = element("div", "pair");
  const query = call.query ? "?" + call.query : "";
  pair.append(side("Request", `${call.method} ${call.path}${query}`, call.headers, call.body, call.body_bytes));
  const sent = call.status === 444 ? "no answer was sent" : String(call.status);
  pair.append(side("Answer", sent, call.answer_headers, call.answer_body, call.answer_bytes));
  cell.append(pair);
  row.append(cell);
  return row;
}

function toggle(row, button, call) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  if (isOpen) row.nextSibling.remove();
  else row.after(openedRow(call));
}

function callRow(call) {
  const row = element("tr", "call");
  row.dataset.path = call.path;
  row.dataset.number = call.number;
  row.append(element("td", "soft", call.number), element("td", "soft", (call.time || "").slice(11, 19)));

  const button = element("button", "line");
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  const query = call.query ? "?" + call.query : "";
  button.append(element("b", "", call.method), " ", call.path.replace(/^\/public-api\/v1(?=\/)/, ""));
  if (query) button.append(element("span", "soft", query));
  button.addEventListener("click", () => toggle(row, button, call));
  const cell = document.createElement("td");
  cell.append(button);

  const outcome = element("td", "outcome " + tone(call.status), call.status === 444 ? "no answer" : call.status);
  if (call.fault) {
    outcome.append(element("span", "note", `${call.fault}, ${call.carried_out ? "" : "not "}carried out`));
  }
  const why = call.fault ? "" : message(call);
  if (why) outcome.append(element("span", "note", why));
  row.append(cell, outcome, element("td", "number soft", call.milliseconds));
  return row;
}

let last = 0;
let waiting = [];

function hide(row) {
  row.hidden = !row.dataset.path.includes(byId("filter").value);
  const opened = row.nextSibling;
  if (opened && opened.className === "opened") opened.hidden = row.hidden;
}

function showCall(call) {
  if (call.number <= last) return;
  last = call.number;
  if (byId("pause").checked) {
    waiting = waiting.concat(call).slice(-SHOWN);
    return;
  }
  const rows = byId("call-rows");
  const row = callRow(call);
  rows.prepend(row);
  hide(row);
  while (rows.querySelectorAll("tr.call").length > SHOWN) rows.lastChild.remove();
  byId("no-calls").hidden = true;
}

// How long it took in the end, what a fault made of it included.
function showSent(sent) {
  const late = waiting.find((call) => call.number === sent.number);
  if (late) late.milliseconds = sent.milliseconds;
  const row = document.querySelector(`#call-rows tr[data-number="${Number(sent.number)}"]`);
  if (row) row.lastChild.textContent = sent.milliseconds;
}

async function loadCalls() {
  for (const call of (await ask("GET", "/calls")).calls) {
    showCall(call);
    showSent(call);
  }
}

byId("pause").addEventListener("change", () => {
  const missed = waiting;
  waiting = [];
  if (missed.length > 0) last = missed[0].number - 1;
  missed.forEach(showCall);
});

byId("filter").addEventListener("input", () => document.querySelectorAll("#call-rows tr.call").forEach(hide));

// Limits, keys and faults.

let state = null;

function options(select, values) {
  const chosen = select.value;
  const wanted = values.map(([value]) => value).join();
  if ([...select.options].map((option) => option.value).join() === wanted) return;
  select.replaceChildren(...values.map(([value, text]) => {
    const option = element("option", "", text);
    option.value = value;
    return option;
  }));
  if (values.some(([value]) => value === chosen)) select.value = chosen;
}

function showLimits() {
  const mine = state.limits.filter((limit) => String(limit.space) === byId("space").value);
  byId("limits").replaceChildren(...mine.map((limit) => {
    const line = document.createElement("li");
    const left = limit.limit - limit.used;
    const meter = document.createElement("meter");
    meter.max = Math.max(limit.limit, 1);
    meter.value = limit.used;
    meter.high = limit.limit * 0.8;
    meter.optimum = 0;
    meter.setAttribute("aria-label", `${limit.method} ${limit.path}`);
    const resets = limit.resets_in > 0 ? `, afresh in ${limit.resets_in} s` : "";
    line.append(element("span", "mono", `${limit.method} ${limit.path}`), element("span", "soft", `${left} of ${limit.limit} left${resets}`), meter);
    return line;
  }));
  byId("no-limits").hidden = mine.length > 0;
}

function showKeys() {
  byId("keys").replaceChildren(...state.keys.map((key) => {
    const line = document.createElement("li");
    const revoke = element("button", "", "revoke");
    revoke.type = "button";
    revoke.setAttribute("aria-label", `revoke key ${key.id}`);
    revoke.addEventListener("click", () => act(() => ask("DELETE", `/keys/${key.id}`)));
    const space = `Space ${key.space}${key.active ? "" : ", subscription inactive"}`;
    const abilities = key.abilities.length === state.abilities.length ? "every ability" : key.abilities.join(", ") || "no ability";
    line.append(element("span", "mono", `${key.id}|${key.key}`), element("span", "soft", space), revoke, element("span", "note", abilities));
    return line;
  }));
}

function describe(fault) {
  const parts = [`struck ${fault.struck}`];
  if (fault.status) parts.push(`status ${fault.status}`);
  if (fault.seconds !== undefined) parts.push(`${fault.seconds} s`);
  if (fault.milliseconds !== undefined) parts.push(`${fault.milliseconds} ms`);
  if (fault.bytes !== undefined) parts.push(`${fault.bytes} bytes`);
  if (fault.method || fault.path) parts.push([fault.method, fault.path].filter(Boolean).join(" "));
  if (fault.after) parts.push(`after ${fault.after}`);
  if (fault.times) parts.push(`${fault.times - fault.struck} more`);
  if (fault.share !== undefined) parts.push(`${Math.round(fault.share * 100)} %`);
  return parts.join(" · ");
}

// What a fault takes beside what every fault does.
function parameter(fault, name) {
  const label = element("label", "parameter", `${name} `);
  const isText = name === "headers" || name === "body";
  const field = element(isText ? "textarea" : "input");
  field.dataset.parameter = name;
  field.setAttribute("aria-label", `${name} of ${fault}`);
  if (isText) {
    field.rows = 2;
    field.spellcheck = false;
    field.placeholder = name === "headers" ? "Name: value" : "";
  } else {
    field.type = "number";
    field.min = "0";
  }
  label.append(field);
  return label;
}

// The parameters that were filled in.
function parameters(line) {
  const given = {};
  for (const field of line.querySelectorAll("[data-parameter]")) {
    const name = field.dataset.parameter;
    if (field.value.trim() === "") continue;
    if (name === "headers") {
      given.headers = field.value.split("\n").filter((one) => one.trim()).map((one) => {
        const [head, ...rest] = one.split(":");
        return [head.trim(), rest.join(":").trim()];
      });
    } else given[name] = name === "body" ? field.value : Number(field.value);
  }
  return given;
}

function makeFaults() {
  byId("faults").replaceChildren(...state.catalog.map((entry) => {
    const line = document.createElement("li");
    line.dataset.fault = entry.fault;
    const knob = element("button");
    knob.type = "button";
    knob.id = `fault-${entry.fault}`;
    knob.setAttribute("role", "switch");
    knob.setAttribute("aria-labelledby", `name-${entry.fault}`);
    knob.addEventListener("click", () => flip(entry.fault, line));
    const name = element("span", "mono", entry.fault);
    name.id = `name-${entry.fault}`;
    const takes = element("span", "note takes");
    takes.append(...entry.takes.map((one) => parameter(entry.fault, one)));
    line.append(knob, name, element("span", "note", entry.words), takes, element("span", "note bad"));
    return line;
  }));
}

function showFaults() {
  if (byId("faults").children.length === 0) makeFaults();
  for (const line of byId("faults").children) {
    const active = state.faults.filter((fault) => fault.fault === line.dataset.fault);
    line.firstChild.setAttribute("aria-checked", String(active.length > 0));
    line.lastChild.textContent = active.map(describe).join(" — ");
  }
}

async function flip(name, line) {
  const active = state.faults.filter((fault) => fault.fault === name);
  await act(async () => {
    for (const fault of active) await ask("DELETE", `/faults/${fault.id}`);
    if (active.length > 0) return;
    const wanted = { fault: name, ...parameters(line) };
    const [method, path] = byId("endpoint").value.split(" ");
    if (path) Object.assign(wanted, { method, path });
    if (byId("path").value.trim()) {
      delete wanted.method;
      wanted.path = byId("path").value.trim();
    }
    if (byId("after").value) wanted.after = Number(byId("after").value);
    if (byId("times").value) wanted.times = Number(byId("times").value);
    if (byId("share").value) wanted.share = Number(byId("share").value) / 100;
    await ask("POST", "/faults", wanted);
  });
}

async function act(work) {
  let told = "";
  try {
    await work();
  } catch (error) {
    told = error.message;
  }
  byId("fault-error").textContent = told;
  await loadState();
}

byId("clear-faults").addEventListener("click", () => act(() => ask("DELETE", "/faults")));
byId("minute").addEventListener("click", () => act(() => ask("POST", "/clock", { advance_seconds: 60 })));
byId("new-key").addEventListener("click", () => act(async () => {
  const made = await ask("POST", "/keys", { space: Number(byId("space").value) || null });
  byId("made-key").textContent = `${made.key} (shown this once)`;
}));

let loads = 0;
let shown = 0;

async function loadState() {
  loads += 1;
  const mine = loads;
  const loaded = await ask("GET", "/state");
  // A later one has overtaken it.
  if (mine < shown) return;
  shown = mine;
  state = loaded;
  byId("base-url").textContent = state.base_url;
  byId("count").textContent = state.count;
  byId("tracked").textContent = state.tracked;
  byId("leaked").textContent = state.leaked_keys;
  byId("leaked").className = state.leaked_keys > 0 ? "alarm" : "";
  const spaces = [...new Set(state.keys.map((key) => String(key.space)))];
  options(byId("space"), spaces.map((space) => [space, space]));
  const endpoints = state.endpoints.map(({ method, path }) => `${method} ${path}`);
  options(byId("endpoint"), [["", "any endpoint"], ...endpoints.map((endpoint) => [endpoint, endpoint])]);
  showLimits();
  showKeys();
  showFaults();
}

// However many calls come in, the rest of the page is asked for four times a second at most.
let due = false;

function stateSoon() {
  if (due) return;
  due = true;
  setTimeout(() => {
    due = false;
    loadState().catch(() => {});
  }, 250);
}

// Data.

let nextId = null;
let asked = 0;

async function showData(after) {
  const space = byId("space").value;
  if (!space) return;
  asked += 1;
  const mine = asked;
  byId("next").disabled = true;
  const page = await ask("GET", `/data/${byId("kind").value}?space=${space}&after=${after}`);
  // Something else was asked for in the meantime.
  if (mine !== asked) return;
  const columns = [...new Set(page.rows.flatMap((row) => Object.keys(row)))];
  byId("data-head").replaceChildren(...columns.map((column) => {
    const head = element("th", "", column);
    head.scope = "col";
    return head;
  }));
  const text = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
  byId("data-rows").replaceChildren(...page.rows.map((row) => {
    const line = document.createElement("tr");
    line.append(...columns.map((column) => element("td", "", text(row[column]))));
    return line;
  }));
  nextId = page.next;
  byId("next").disabled = nextId === null;
  byId("no-data").hidden = page.rows.length > 0;
}

const showFirst = () => showData(0).catch(() => {});
byId("kind").addEventListener("change", showFirst);
byId("first").addEventListener("click", showFirst);
byId("next").addEventListener("click", () => showData(nextId).catch(() => {}));
byId("space").addEventListener("change", () => {
  showLimits();
  showFirst();
});

// Live.

function status(text, live) {
  byId("status").textContent = text;
  byId("status").className = live ? "live" : "";
}

const stream = new EventSource(HOME + "/stream");
let greeted = false;

async function greet() {
  await Promise.all([loadCalls(), loadState()]);
  if (!greeted) await showFirst();
  greeted = true;
  status("live", true);
}

stream.addEventListener("open", () => greet().catch(() => status("out of reach", false)));
stream.addEventListener("error", () => {
  // A new emulator counts from the beginning.
  last = 0;
  byId("call-rows").replaceChildren();
  status("out of reach, trying again", false);
});
stream.addEventListener("call", (event) => {
  showCall(JSON.parse(event.data));
  stateSoon();
});
stream.addEventListener("sent", (event) => showSent(JSON.parse(event.data)));
stream.addEventListener("missed", () => loadCalls().catch(() => {}));
stream.addEventListener("state", stateSoon);
setInterval(() => {
  if (greeted && !document.hidden && state && state.limits.some((limit) => limit.resets_in > 0)) stateSoon();
}, 1000);
