// Opens a page in Chromium, waits until it shows a text, and prints what the browser has made of it, and behind that a
// line of JSON: how wide it is in a window of 400, the contrast of its text in light and in dark, and what the Tab key
// reaches:
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
const evaluate = async (expression) => 
  (await ask("Runtime.evaluate", { expression, returnByValue: true }, sessionId)).result.value;
await ask("Runtime.enable", {}, sessionId);
await ask("Page.navigate", { url }, sessionId);
while (!await evaluate(`document.body !== null && document.body.innerText.includes(${JSON.stringify(text)})`)) {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const html = await evaluate("document.documentElement.outerHTML");
await ask("Emulation.setDeviceMetricsOverride", { width: 400, height: 800, deviceScaleFactor: 1, mobile: false }, sessionId);
const looks = { width: await evaluate("document.documentElement.scrollWidth"), reached: [] };
for (const scheme of ["light", "dark"]) {
  await ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] }, sessionId);
  // Of luminances, as WCAG has it.
  looks[scheme] = await evaluate(`(() => {
    const luminance = (color) => {
      const parts = color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
        .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
      return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const style = getComputedStyle(document.body);
    const [low, high] = [luminance(style.color), luminance(style.backgroundColor)].sort((a, b) => a - b);
    return { contrast: (high + 0.05) / (low + 0.05), background: style.backgroundColor };
  })()`);
}
for (let i = 0; i < 12; ++i) {
  for (const type of ["keyDown", "keyUp"]) {
    await ask("Input.dispatchKeyEvent", { type, key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 }, sessionId);
  }
  looks.reached.push(await evaluate("document.activeElement.tagName + ' ' + document.activeElement.innerText"));
}
process.stdout.write(html + "\n" + JSON.stringify(looks), () =>
  end(complaints.length === 0 ? 0 : 1, complaints.join("\n")));
