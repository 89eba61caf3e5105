// Opens a page in Chromium, waits until it shows a text, and prints what the browser has made of it:
//   node browser.mjs URL TEXT PROFILE_FOLDER
// Speaks the DevTools protocol over a pipe: https://chromedevtools.github.io/devtools-protocol/
import { spawn } from "node:child_process";

const [url, text, profile] = process.argv.slice(2);
const browser = spawn("chromium", ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
  "--window-size=400,2000", "--remote-debugging-pipe", "--user-data-dir=" + profile],
  { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] });
let said = "";
browser.stderr.on("data", (data) => { said += data; });

let last = 0;
const waiting = new Map();
const complaints = [];
let buffer = "";
browser.stdio[4].on("data", (data) => {
  buffer += data;
  for (let end; (end = buffer.indexOf("\0")) >= 0; buffer = buffer.slice(end + 1)) {
    const message = JSON.parse(buffer.slice(0, end));
    if (message.method === "Runtime.exceptionThrown") complaints.push(JSON.stringify(message.params));
    if (waiting.has(message.id)) waiting.get(message.id)(message);
  }
});

function ask(method, params, sessionId) {
  const id = ++last;
  browser.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
  return new Promise((resolve, reject) => waiting.set(id, (message) =>
    message.error ? reject(new Error(method + ": " + message.error.message)) : resolve(message.result)));
}

function end(code, complaint) {
  if (complaint) console.error(complaint, said.slice(-2000));
  browser.kill("SIGKILL");
  process.exit(code);
}

setTimeout(() => end(1, `the page does not show "${text}"`), 60000);
const { targetId } = await ask("Target.createTarget", { url: "about:blank" });
const { sessionId } = await ask("Target.attachToTarget", { targetId, flatten: true });
const evaluate = async (expression) => (await ask("Runtime.evaluate", { expression }, sessionId)).result.value;
await ask("Runtime.enable", {}, sessionId);
await ask("Page.navigate", { url }, sessionId);
while (!await evaluate(`document.body !== null && document.body.innerText.includes(${JSON.stringify(text)})`)) {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
process.stdout.write(await evaluate("document.documentElement.outerHTML"), () =>
  end(complaints.length === 0 ? 0 : 1, complaints.join("\n")));
