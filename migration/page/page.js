// The migrations of this server, and one of them live. No library; nothing from elsewhere.
"use strict";

const main = document.getElementById("main");
const connection = document.getElementById("connection");
let leave = () => {};  // ends what the shown view has begun

// Elements. Texts come from servers and users: they are only ever set as text.
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick" || name === "onsubmit") made[name] = value;
    else if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (count >= 1024 && at < units.length - 1) { count /= 1024; at++; }
  return (at === 0 ? count : count.toFixed(count < 10 ? 1 : 0)) + " " + units[at];
}

function duration(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
  if (hours > 0) return hours + " h " + minutes + " min";
  return minutes > 0 ? minutes + " min " + (seconds % 60) + " s" : seconds + " s";
}

const number = (value) => value.toLocaleString("en-US");
const state = (name) => element("span", {class: "state " + name}, name);

function table(heads, rows, caption) {
  const shown = element("table", {class: "stack"},
    element("caption", {class: "faint"}, caption || ""),
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", {scope: "col", class: head.number ? "number" : null}, head.name)))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell, i) =>
      element("td", {"data-head": heads[i].name, class: heads[i].number ? "number" : null}, cell))))));
  return element("div", {class: "scroll"}, shown);
}

function headers() {
  const token = sessionStorage.getItem("token");
  return token ? {Authorization: "Bearer " + token} : {};
}

async function call(path, options) {
  const response = await fetch(path, {...options, headers: {...headers(), ...(options || {}).headers}});
  if (response.status === 401) { askForToken(); throw new Error("a token is needed"); }
  if (!response.ok) {
    const body = await response.json().catch(() => null);
    const error = new Error(body && body.error ? body.error.message : "the server answers " + response.status);
    error.status = response.status;
    throw error;
  }
  return response;
}

function askForToken() {
  leave();
  const input = element("input", {type: "password", id: "token", autocomplete: "off", required: ""});
  main.replaceChildren(element("form", {onsubmit: (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", input.value);
    route();
  }}, element("label", {for: "token"}, "Token of this server"), input, element("button", {}, "Show the migrations")));
  input.focus();
}

// Keeps the focus where the reader has it when a view is drawn anew.
function draw(...content) {
  const focused = document.activeElement && document.activeElement.id;
  main.replaceChildren(...content);
  if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
}

function totals(migration) {
  const sum = {copied: 0, pending: 0, rows: 0, done: 0, tables: 0};
  for (const database of Object.values(migration.properties.currentStatus.currentSubStateDetails.dbDetails)) {
    sum.copied += database.copiedBytes;
    sum.pending += database.pendingBytes;
    sum.rows += database.copiedRows;
    sum.done += database.fullLoadCompletedTables;
    sum.tables += database.fullLoadCompletedTables + database.fullLoadQueuedTables + database.fullLoadLoadingTables +
      database.fullLoadErroredTables;
  }
  return sum;
}

function lasted(migration) {
  const begun = migration.properties.migrationWindowStartTimeInUtc;
  if (!begun) return 0;
  const ended = migration.properties.migrationWindowEndTimeInUtc;
  return ((ended ? Date.parse(ended) : Date.now()) - Date.parse(begun)) / 1000;
}

// What has crossed in a second, over the last ten.
function rate(samples) {
  if (samples.length < 2) return 0;
  const last = samples[samples.length - 1];
  const first = samples.find((sample) => sample.at >= last.at - 10000);
  return last.at > first.at ? Math.max(0, last.copiedBytes - first.copiedBytes) / ((last.at - first.at) / 1000) : 0;
}

function chart(samples) {
  if (samples.length < 2) return null;
  const begin = samples[0].at, span = samples[samples.length - 1].at - begin || 1;
  const most = Math.max(...samples.map((sample) => sample.copiedBytes)) || 1;
  const points = samples.map((sample) => ((sample.at - begin) / span * 1000).toFixed(1) + "," +
    (100 - sample.copiedBytes / most * 95).toFixed(2)).join(" ");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 1000 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Bytes copied over time: " + bytes(most) + " in " + duration(span / 1000));
  for (const [kind, at] of [["polygon", "0,100 " + points + " 1000,100"], ["polyline", points]]) {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", kind);
    shape.setAttribute("points", at);
    shape.setAttribute("class", kind === "polygon" ? "area" : "curve");
    svg.append(shape);
  }
  return element("section", {}, element("h3", {}, "Bytes over time"), svg,
    element("div", {class: "axis"}, element("span", {}, "0 s"), element("span", {}, bytes(most) + " copied"),
      element("span", {}, duration(span / 1000))));
}

function facts(pairs) {
  return element("dl", {class: "facts"}, ...pairs.filter((pair) => pair).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function findings(details) {
  const lists = [...details.serverLevelValidationDetails.map((of) => ["Servers", of])];
  for (const database of details.dbLevelValidationDetails) {
    lists.push(...database.summary.map((of) => [database.databaseName, of]));
  }
  if (lists.length === 0) return null;
  const items = [];
  for (const [where, validation] of lists) {
    for (const message of validation.messages.filter((of) => of.state !== "Succeeded")) {
      items.push(element("li", {class: "message"}, state(message.state), " " + where + ", " + validation.type + ": " + message.message));
    }
  }
  const all = lists.length + " validations, ";
  return element("section", {}, element("h3", {}, "Validations"),
    element("p", {}, all + (items.length === 0 ? "nothing found" : items.length === 1 ? "one finding" : items.length + " findings")),
    items.length === 0 ? null : element("ul", {}, ...items));
}

function compared(database) {
  if (database.migrationOperation === "Verifying") return "comparing";
  if (!database.verification) return database.endedOn && database.migrationState === "Succeeded" ? "not compared" : "";
  return database.migrationState === "Succeeded" ? "equal" : "different";
}

function databases(migration) {
  const rows = Object.values(migration.properties.currentStatus.currentSubStateDetails.dbDetails).map((database) => {
    const tables = database.fullLoadCompletedTables + database.fullLoadQueuedTables + database.fullLoadLoadingTables +
      database.fullLoadErroredTables;
    const whole = database.copiedBytes + database.pendingBytes;
    const part = database.migrationState === "Succeeded" ? 1 : whole > 0 ? Math.min(.99, database.copiedBytes / whole) : 0;
    return [database.databaseName, state(database.migrationState), database.migrationOperation,
      element("progress", {max: 1, value: part, "aria-label": database.databaseName + " " + Math.floor(part * 100) + " %"}),
      number(database.fullLoadCompletedTables) + " / " + number(tables), number(database.copiedRows),
      bytes(database.copiedBytes), compared(database)];
  });
  return element("section", {}, element("h3", {}, "Databases"), table([{name: "Database"}, {name: "State"}, {name: "Operation"},
    {name: "Progress"}, {name: "Tables", number: true}, {name: "Rows", number: true}, {name: "Copied", number: true},
    {name: "Compared"}], rows));
}

function activity(tables) {
  const part = (title, wanted) => {
    const rows = tables.filter((of) => of.state === wanted).slice(0, 10).map((of) =>
      [of.database, of.name, of.kind === "index" ? "building the index" : "copying rows", bytes(of.bytes), duration(of.seconds)]);
    if (rows.length === 0) return null;
    return element("section", {}, element("h3", {}, title), table([{name: "Database"}, {name: "Table or index"}, {name: "Work"},
      {name: "Size", number: true}, {name: "Time", number: true}], rows));
  };
  return [part("At work", "running"), part("Done, the slowest first", "done")];
}

function messages(migration) {
  const all = [];
  if (migration.properties.currentStatus.error) all.push(element("p", {class: "error", role: "alert"}, migration.properties.currentStatus.error));
  for (const database of Object.values(migration.properties.currentStatus.currentSubStateDetails.dbDetails)) {
    const said = database.databaseName + ": " + database.message;
    if (database.message && said !== migration.properties.currentStatus.error) all.push(element("p", {class: "message"}, said));
  }
  return all;
}

function cancelButton(migration, path) {
  if (migration.properties.currentStatus.state !== "InProgress") return null;
  return element("button", {id: "cancel", type: "button", onclick: async () => {
    const sure = confirm("Cancel " + migration.name + "? The databases that it has made on the target are dropped.");
    if (!sure) return;
    try {
      await call(path, {method: "PATCH", headers: {"Content-Type": "application/json"}, body: '{"properties":{"cancel":"True"}}'});
      connection.textContent = "Cancel requested";
    } catch (error) { connection.textContent = error.message; }
  }}, "Cancel the migration");
}

function showMigration({migration, samples, tables}, path) {
  const of = migration.properties, status = of.currentStatus, sum = totals(migration);
  const active = status.state === "InProgress";
  const whole = sum.copied + sum.pending;
  const part = status.state === "Succeeded" ? 1 : whole > 0 ? Math.min(.99, sum.copied / whole) : 0;
  const speed = active ? rate(samples) : sum.copied / Math.max(1, lasted(migration));
  const comparing = Object.values(status.currentSubStateDetails.dbDetails).some((one) => one.migrationOperation === "Verifying");
  // While rows are compared none are copied, and how long that takes nobody knows.
  const left = active && speed > 0 && sum.pending > 0 ? duration(sum.pending / speed) : comparing ? "comparing rows" : null;
  document.title = migration.name + ": " + status.state + " – pgsluice";
  draw(element("p", {}, element("a", {href: "#/", id: "back"}, "All migrations")),
    element("div", {class: "row"}, element("h2", {}, migration.name), cancelButton(migration, path)),
    element("p", {role: "status", "aria-live": "polite"}, state(status.state), active ? " " + status.currentSubStateDetails.currentSubState : ""),
    element("p", {class: "faint"}, of.sourceDbServerResourceId + " → " + of.targetDbServerResourceId +
      (of.sourceDbServerMetadata.version ? ", PostgreSQL " + of.sourceDbServerMetadata.version.split(" ")[0] + " → " +
        of.targetDbServerMetadata.version.split(" ")[0] : "")),
    ...messages(migration),
    element("progress", {max: 1, value: part, "aria-label": "All databases " + Math.floor(part * 100) + " %"}),
    facts([["Done", Math.floor(part * 100) + " %"], ["Copied", bytes(sum.copied)], ["Rows", number(sum.rows)],
      ["Tables", number(sum.done) + " / " + number(sum.tables)], [active ? "Rate" : "Rate over all", bytes(Math.round(speed)) + "/s"],
      ["Time", duration(lasted(migration))], active ? ["Left, about", left || "–"] : null]),
    databases(migration), chart(samples) || "", ...activity(active ? tables : tables.filter((one) => one.state === "done")).map((one) => one || ""),
    findings(status.currentSubStateDetails.validationDetails) || "",
    of.nextSteps.length === 0 ? "" : element("section", {}, element("h3", {}, "Left for you"),
      element("ul", {}, ...of.nextSteps.map((step) => element("li", {class: "message"}, step)))));
}

// Server-sent events by fetch, which can bear a token.
async function follow(path, onState, signal) {
  const response = await call(path, {signal});
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    buffer += value;
    let end;
    while ((end = buffer.indexOf("\n\n")) >= 0) {
      const event = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      if (event.startsWith("data: ")) onState(JSON.parse(event.slice(6)));
    }
  }
}

async function openMigration(name, target) {
  const abort = new AbortController();
  leave = () => abort.abort();
  const query = target ? "?target=" + encodeURIComponent(target) : "";
  const path = "/migrations/" + encodeURIComponent(name);
  while (!abort.signal.aborted) {
    let active = true;
    try {
      await follow(path + "/events" + query, (now) => {
        connection.textContent = now.migration.properties.currentStatus.state === "InProgress" ? "Live" : "";
        active = now.migration.properties.currentStatus.state === "InProgress";
        showMigration(now, path + query);
      }, abort.signal);
      if (!active) return;
    } catch (error) {
      if (abort.signal.aborted) return;
      if (error.status === 404) {
        connection.textContent = "";
        draw(element("p", {}, "There is no migration named " + name + " (any more)."),
          element("p", {}, element("a", {href: "#/", id: "back"}, "All migrations")));
        return;
      }
      connection.textContent = "Not connected: " + error.message;
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

async function openList() {
  let timer = null;
  let left = false;
  leave = () => { left = true; clearTimeout(timer); };
  document.title = "pgsluice migrations";
  const show = async () => {
    try {
      const list = (await (await call("/migrations?migrationListFilter=All")).json()).value;
      if (left) return;
      connection.textContent = "";
      draw(element("h2", {}, "Migrations"), list.length === 0
        ? element("p", {}, "None yet. ", element("code", {}, "pgsluice migration create --name first --properties body.json"), " begins one.")
        : table([{name: "Name"}, {name: "State"}, {name: "Databases"}, {name: "Target"}, {name: "Copied", number: true},
          {name: "Duration", number: true}, {name: "Started"}], list.map((migration) => [
          migration.properties.currentStatus.error === "deleted" ? migration.name
            : element("a", {id: "m-" + migration.properties.migrationId, href: "#/" + encodeURIComponent(migration.name) + "/" + encodeURIComponent(migration.target)}, migration.name),
          state(migration.properties.currentStatus.state), migration.properties.dbsToMigrate.join(", "), migration.target,
          bytes(totals(migration).copied), duration(lasted(migration)),
          migration.properties.migrationWindowStartTimeInUtc.replace("T", " ").replace("Z", " UTC")])));
    } catch (error) {
      if (left) return;
      connection.textContent = "Not connected: " + error.message;
    }
    if (!left && !document.getElementById("token")) timer = setTimeout(show, 2000);
  };
  await show();
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

function route() {
  leave();
  connection.textContent = "";
  // A link bears no token.
  document.querySelector("footer").hidden = Boolean(sessionStorage.getItem("token"));
  const [name, target] = location.hash.replace(/^#\//, "").split("/").map(decoded);
  if (name) openMigration(name, target); else openList();
}

window.addEventListener("hashchange", () => { route(); main.focus(); });
route();
