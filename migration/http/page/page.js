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
  const was = sessionStorage.getItem("token");
  sessionStorage.removeItem("token");
  const input = element("input", {type: "password", id: "token", autocomplete: "off", required: ""});
  const warning = was ? [element("p", {class: "error", role: "alert"}, "The server does not accept this token.")] : [];
  main.replaceChildren(...warning, element("form", {onsubmit: (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", input.value);
    route();
  }}, element("label", {for: "token"}, "Token of this server"), input, element("button", {}, "Show the migrations")),
  element("p", {class: "faint"}, "It is the one that \"pgsluice serve\" was given; if it was given none, it is in the file \"token\" of its store, and the link that it printed carries it."));
  input.focus();
}

const when = (time) => time ? time.replace("T", " ").replace("Z", " UTC") : "";

// A file that the reader chooses, as text.
function fileInput(id) { return element("input", {type: "file", id, accept: ".json,application/json", required: ""}); }

async function sendFile(path, input, change) {
  const properties = JSON.parse(await input.files[0].text());
  if (change) change(properties);
  await call(path, {method: "PUT", headers: {"Content-Type": "application/json"}, body: JSON.stringify(properties)});
}

// What the reader does, with what went wrong said beside it.
function form(attributes, action, ...children) {
  const problem = element("p", {role: "alert", class: "error", hidden: ""});
  const made = element("form", {...attributes, onsubmit: async (event) => {
    event.preventDefault();
    const button = made.querySelector("button");
    button.disabled = true;
    problem.hidden = true;
    try { await action(); } catch (error) {
      problem.textContent = error instanceof SyntaxError ? "The file is not JSON: " + error.message : error.message;
      problem.hidden = false;
    }
    button.disabled = false;
  }}, ...children, problem);
  return made;
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

// The parts of the samples' time in which one kind of work was done.
function phases(samples) {
  const parts = [];
  for (const sample of samples) {
    const last = parts[parts.length - 1];
    if (last) last.end = sample.at;
    if (sample.phase && sample.phase !== "ended" && (!last || last.phase !== sample.phase)) {
      parts.push({phase: sample.phase, begin: sample.at, end: sample.at});
    }
  }
  return parts;
}

// Bytes and work done over time, the kinds of work, and when the work on each database began and ended.
function chart(samples, migration) {
  if (samples.length < 2) return null;
  const begin = samples[0].at, span = samples[samples.length - 1].at - begin || 1;
  const most = Math.max(...samples.map((sample) => sample.copiedBytes));
  if (most === 0) return null;
  const x = (at) => ((at - begin) / span * 1000).toFixed(1);
  const points = samples.map((sample) => x(sample.at) + "," + (100 - sample.copiedBytes / most * 95).toFixed(2)).join(" ");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 1000 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Bytes copied over time: " + bytes(most) + " in " + duration(span / 1000));
  const add = (kind, attributes) => {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
    svg.append(shape);
  };
  const parts = phases(samples);
  for (const part of parts) {
    add("rect", {x: x(part.begin), y: 0, width: ((part.end - part.begin) / span * 1000).toFixed(1), height: 100,
      class: "phase " + part.phase});
  }
  add("polygon", {points: "0,100 " + points + " 1000,100", class: "area"});
  add("polyline", {points, class: "curve"});
  const work = samples.filter((sample) => sample.phase);
  if (work.length > 1) {
    add("polyline", {points: work.map((sample) => x(sample.at) + "," + (100 - sample.fractionDone * 95).toFixed(2)).join(" "),
      class: "work"});
  }
  const marks = [];
  for (const database of Object.values(migration.properties.currentStatus.currentSubStateDetails.dbDetails)) {
    for (const [what, time] of [["begins", database.startedOn], ["ends", database.endedOn]]) {
      const at = Date.parse(time);
      if (!(at >= begin && at <= begin + span)) continue;
      add("line", {x1: x(at), x2: x(at), y1: 0, y2: 100, class: "mark " + what});
      marks.push([at, database.databaseName + " " + what + " at " + duration((at - begin) / 1000)]);
    }
  }
  marks.sort((one, other) => one[0] - other[0]);
  const key = parts.filter((part) => part.end > part.begin).map((part) => element("li", {},
    element("span", {class: "swatch " + part.phase}), part.phase + " " + duration((part.end - part.begin) / 1000)));
  return element("section", {}, element("h3", {}, "Bytes over time"),
    element("div", {class: "plot"}, element("div", {class: "yaxis faint"}, element("span", {}, bytes(most)),
      element("span", {}, bytes(most / 2)), element("span", {}, "0")), svg),
    element("div", {class: "axis"}, element("span", {}, "0 s"), element("span", {}, duration(span / 1000))),
    element("ul", {class: "key faint"}, element("li", {}, element("span", {class: "swatch curve"}), "bytes"),
      work.length > 1 ? element("li", {}, element("span", {class: "swatch work"}), "all work, 0 to 100 %") : null, ...key),
    marks.length === 0 ? null : element("p", {class: "faint"}, marks.map((mark) => mark[1]).join(", ")));
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
  const all = lists.length + (lists.length === 1 ? " validation, " : " validations, ");
  return element("section", {}, element("h3", {}, "Validations"),
    element("p", {}, all + (items.length === 0 ? "nothing found" : items.length === 1 ? "one finding" : items.length + " findings")),
    items.length === 0 ? null : element("ul", {}, ...items));
}

function compared(database) {
  if (database.migrationOperation === "Verifying") return "comparing";
  if (!database.verification) return database.endedOn && database.migrationState === "Succeeded" ? "not compared" : "";
  if (database.migrationState !== "Succeeded") return "different";
  // Rows of pg_dump's archives are only counted.
  return database.verification.includes("equal") ? "equal" : "counted";
}

function databases(migration) {
  const rows = Object.values(migration.properties.currentStatus.currentSubStateDetails.dbDetails).map((database) => {
    const tables = database.fullLoadCompletedTables + database.fullLoadQueuedTables + database.fullLoadLoadingTables +
      database.fullLoadErroredTables;
    const part = database.migrationState === "Succeeded" ? 1 : Math.min(.99, database.fractionDone || 0);
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
  const {error: whole, state} = migration.properties.currentStatus;
  // Of a canceled one the state says as much.
  if (whole && state !== "Canceled") all.push(element("p", {class: "error", role: "alert"}, whole));
  for (const database of Object.values(migration.properties.currentStatus.currentSubStateDetails.dbDetails)) {
    const said = database.databaseName + ": " + database.message;
    const error = migration.properties.currentStatus.error;
    if (database.message && said !== error && database.message !== error) all.push(element("p", {class: "message"}, said));
  }
  return all;
}

const cancelling = new Set();  // those whose cancellation the reader has asked for

function cancelButton(migration, path) {
  const id = migration.properties.migrationId;
  if (migration.properties.currentStatus.state !== "InProgress") { cancelling.delete(id); return null; }
  if (cancelling.has(id)) return element("button", {id: "cancel", type: "button", disabled: ""}, "Cancelling …");
  return element("button", {id: "cancel", type: "button", onclick: async (event) => {
    const sure = confirm("Cancel " + migration.name + "? The databases that it has made on the target are dropped.");
    if (!sure) return;
    try {
      await call(path, {method: "PATCH", headers: {"Content-Type": "application/json"}, body: '{"properties":{"cancel":"True"}}'});
      cancelling.add(id);
      event.target.disabled = true;
      event.target.textContent = "Cancelling …";
    } catch (error) { connection.textContent = error.message; }
  }}, "Cancel the migration");
}

// Pauses one that is copying, or has it go on.
function pauseButton(migration, path) {
  if (migration.properties.currentStatus.state !== "InProgress") return null;
  const isPaused = migration.properties.currentStatus.currentSubStateDetails.pace.paused === "True";
  return element("button", {id: "pause", type: "button", onclick: async (event) => {
    event.target.disabled = true;
    try {
      await call(path, {method: "PATCH", headers: {"Content-Type": "application/json"},
        body: JSON.stringify({properties: {pace: {paused: !isPaused}}})});
    } catch (error) {
      event.target.disabled = false;
      connection.textContent = error.message;
    }
  }}, isPaused ? "Continue" : "Pause");
}

// For how long it is paused, and what that costs the source.
function pauseNote(pace) {
  if (pace.paused !== "True") return null;
  const since = (time) => duration((Date.now() - Date.parse(time)) / 1000);
  return element("p", {class: "message", role: "status"}, "Paused for " + since(pace.pausedOn) + "." + (pace.snapshotTakenOn ?
    " The source's snapshot is " + since(pace.snapshotTakenOn) + " old: VACUUM there cannot remove what has ended since." : ""));
}

// What there is to do with one that has ended.
function afterwards(migration, path) {
  const state = migration.properties.currentStatus.state;
  if (state === "InProgress") return null;
  const isValidated = migration.properties.migrationOption === "Validate";
  const next = {
    Succeeded: isValidated ? "Nothing stands in the way, as far as it says below. Nothing was copied: a new migration does that." : "All databases are copied and equal to their sources, as far as it says below. What is left is yours:",
    ValidationFailed: "This attempt has changed nothing. Mend what the findings below name, then resume it with its properties file.",
    Failed: "What is copied stays on the target. Mend what the message names, then resume it with its properties file: it goes on where it was.",
    Canceled: "The messages above say what became of each database. The migration's name is free once it is deleted.",
  }[state];
  const file = fileInput("resume-file");
  const resume = state === "Failed" || state === "ValidationFailed"
    ? form({}, async () => {
      await sendFile(path + (path.includes("?") ? "&" : "?") + "resume=true", file);
      route();
    }, element("label", {for: "resume-file"}, "Properties file"), file, element("button", {}, "Resume"))
    : null;
  const remove = form({}, async () => {
    if (!confirm("Delete " + migration.name + "? It is forgotten; nothing on the target is touched.")) return;
    await call(path + (path.includes("?") ? "&" : "?") + "force=true", {method: "DELETE"});
    location.hash = "#/";
  }, element("button", {}, "Delete"));
  return element("section", {}, element("h3", {}, "What to do next"), element("p", {}, next), resume, remove);
}

function showMigration({migration, samples, tables}, path) {
  const of = migration.properties, status = of.currentStatus, sum = totals(migration);
  const active = status.state === "InProgress";
  const details = status.currentSubStateDetails;
  const part = details.percentDone === null || details.percentDone === undefined ? null : details.percentDone / 100;
  const speed = active ? rate(samples) : sum.copied / Math.max(1, lasted(migration));
  const left = details.secondsLeft === null || details.secondsLeft === undefined ? null : duration(details.secondsLeft);
  document.title = migration.name + ": " + status.state + " – pgsluice";
  draw(element("p", {}, element("a", {href: "#/", id: "back"}, "All migrations")),
    element("div", {class: "row"}, element("h2", {}, migration.name), pauseButton(migration, path),
      cancelButton(migration, path)),
    element("p", {role: "status", "aria-live": "polite"}, state(status.state), active ? " " + status.currentSubStateDetails.currentSubState : ""),
    element("p", {class: "faint"}, of.sourceDbServerResourceId + " → " + of.targetDbServerResourceId +
      (of.sourceDbServerMetadata.version ? ", PostgreSQL " + of.sourceDbServerMetadata.version.split(" ")[0] + " → " +
        of.targetDbServerMetadata.version.split(" ")[0] : "")),
    ...messages(migration), pauseNote(details.pace) || "",
    part === null ? "" : element("progress", {max: 1, value: part, "aria-label": "All databases " + Math.floor(part * 100) + " %"}),
    facts([part === null ? null : ["Done", Math.floor(part * 100) + " %"], sum.tables === 0 ? null : ["Copied", bytes(sum.copied)],
      sum.tables === 0 ? null : ["Rows", number(sum.rows)],
      sum.tables === 0 ? null : ["Tables", number(sum.done) + " / " + number(sum.tables)],
      sum.copied === 0 ? null : [active ? "Rate" : "Rate over all", bytes(Math.round(speed)) + "/s"],
      details.pace.maxRate === 0 ? null : ["Rate at most", bytes(details.pace.maxRate) + "/s"],
      ["Time", duration(lasted(migration))], active ? ["Left, about", left || "–"] : null,
      ["Started", when(of.migrationWindowStartTimeInUtc)], active ? null : ["Ended", when(of.migrationWindowEndTimeInUtc)]]),
    afterwards(migration, path) || "",
    databases(migration), chart(samples, migration) || "", ...activity(active ? tables : tables.filter((one) => one.state === "done")).map((one) => one || ""),
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

function createForm() {
  const name = element("input", {id: "new-name", required: "", pattern: "[A-Za-z0-9][A-Za-z0-9-]*", maxlength: "63", autocomplete: "off"});
  const file = fileInput("new-file");
  const option = element("select", {id: "new-option"}, element("option", {value: "Validate"}, "validate only"),
    element("option", {value: "ValidateAndMigrate"}, "validate and migrate"));
  return element("details", {id: "create"}, element("summary", {}, "New migration"),
    form({}, async () => {
      await sendFile("/migrations/" + encodeURIComponent(name.value), file,
        (document) => { (document.properties || {}).migrationOption = option.value; });
      location.hash = "#/" + encodeURIComponent(name.value);
    }, element("label", {for: "new-name"}, "Name"), name, element("label", {for: "new-file"}, "Properties file"), file,
    element("label", {for: "new-option"}, "What"), option, element("button", {}, "Create")));
}

async function openList() {
  let timer = null;
  let left = false;
  let path = "/migrations?migrationListFilter=All&view=summary&limit=200";
  leave = () => { left = true; clearTimeout(timer); };
  document.title = "pgsluice migrations";
  const search = element("input", {id: "search", type: "search", placeholder: "Name, state, database or target", "aria-label": "Search"});
  const shown = element("div", {});
  const more = element("p", {});
  let list = [];
  let before = "";
  const render = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter((word) => word);
    const found = list.filter((one) => words.every((word) =>
      [one.name, one.state, one.target, ...one.databases].join(" ").toLowerCase().includes(word)));
    shown.replaceChildren(list.length === 0
      ? element("p", {}, "None yet. ", element("code", {}, "pgsluice migration create --name first --properties body.json"), " begins one.")
      : table([{name: "Name"}, {name: "State"}, {name: "Done", number: true}, {name: "Databases"}, {name: "Target"},
        {name: "Copied", number: true}, {name: "Duration", number: true}, {name: "Started"}], found.map((one) => [
        one.error === "deleted" ? one.name
          : element("a", {id: "m-" + one.id, href: "#/" + encodeURIComponent(one.name) + "/" + encodeURIComponent(one.target)}, one.name),
        state(one.state), one.percentDone === null ? "" : one.percentDone + " %", one.databases.join(", "), one.target,
        bytes(one.copiedBytes),
        one.startedOn ? duration(((one.endedOn ? Date.parse(one.endedOn) : Date.now()) - Date.parse(one.startedOn)) / 1000) : "",
        when(one.startedOn)])));
  };
  search.addEventListener("input", render);
  draw(element("h2", {}, "Migrations"), createForm(), search, shown, more);
  const show = async () => {
    try {
      const answer = await (await call(path)).json();
      if (left) return;
      connection.textContent = "";
      list = answer.value;
      more.textContent = answer.nextLink ? "Only the newest " + list.length + " are shown." : "";
      const now = JSON.stringify(list);
      if (now !== before || list.some((one) => one.state === "InProgress")) {
        const focused = document.activeElement && document.activeElement.id;
        render();
        if (focused && focused.startsWith("m-") && document.getElementById(focused)) document.getElementById(focused).focus();
      }
      before = now;
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

// The link that "pgsluice serve" prints carries the token; the address bar then shows it no longer.
function takeToken() {
  const [name, token] = location.hash.slice(1).split("=");
  if (name !== "token" || !token) return;
  sessionStorage.setItem("token", token);
  history.replaceState(null, "", "#/");
}

function route() {
  leave();
  takeToken();
  connection.textContent = "";
  // A link bears no token.
  document.querySelector("footer").hidden = Boolean(sessionStorage.getItem("token"));
  const [name, target] = location.hash.replace(/^#\//, "").split("/").map(decoded);
  if (name) openMigration(name, target); else openList();
}

window.addEventListener("hashchange", () => { route(); main.focus(); });
route();
