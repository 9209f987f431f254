// Firefox as it is released, through WebDriver BiDi, which it speaks by itself:
// https://w3c.github.io/webdriver-bidi/. playwright-core drives builds of its
// own only.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import WebSocket from "ws";

const startTime = 60000; // ms until Firefox listens, and then until it has done all that it puts off when it starts
const answerTime = 20000; // and until it answers a command
const endTime = 8000; // and until it has ended

const prefs = {
  // Cameras and microphones that need no hardware and ask nobody.
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  "media.autoplay.blocking_policy": 0,
  "media.gmp-manager.url": "",
  "network.proxy.type": 0,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "network.dns.disablePrefetch": true,
  "network.prefetch-next": false,
  // No offers, no reports, no updates.
  "app.normandy.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.aboutwelcome.enabled": false,
  "browser.newtabpage.enabled": false,
  "browser.safebrowsing.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.page": 0,
  "browser.topsites.contile.enabled": false,
  "browser.translations.enable": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "datareporting.healthreport.uploadEnabled": false,
  "extensions.update.enabled": false,
  "extensions.getAddons.cache.enabled": false,
  "messaging-system.rsexperimentloader.enabled": false,
  "services.settings.server": "data:,#remote-settings-dummy/v1",
  "telemetry.fog.test.localhost_port": -1,
  "toolkit.telemetry.enabled": false,
  "toolkit.telemetry.server": "",
};

export async function launch(executable, profile, heard) {
  const lines = Object.entries(prefs).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
  await writeFile(`${profile}/user.js`, lines.join(""));
  const args = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
  const env = { ...process.env, MOZ_CRASHREPORTER_DISABLE: "1" };
  const child = spawn(executable, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  process.on("exit", () => child.kill("SIGKILL"));
  const url = await within(startTime, "Firefox does not start", address(child, ended));
  const session = await connect(`${url}/session`);
  const { send } = session;
  const { capabilities } = await send("session.new", { capabilities: { alwaysMatch: {} } }, startTime);
  session.on("log.entryAdded", ({ level, text, stackTrace, source }) => {
    const from = stackTrace?.callFrames?.[0]?.url ?? "";
    if (source.context === context) heard(level, `${text} (${from})`);
  });
  let status = 0;
  session.on("network.responseCompleted", ({ context: where, navigation, response }) => {
    if (where === context && navigation) status = response.status;
  });
  await send("session.subscribe", { events: ["log.entryAdded", "network.responseCompleted"] });

  let context = (await send("browsingContext.getTree", {})).contexts[0].context;
  let preload = null;
  await viewport({ width: 1280, height: 800 });

  function viewport(size) {
    return send("browsingContext.setViewport", { context, viewport: size });
  }

  async function evaluate(expression) {
    const answer = await send("script.evaluate", {
      expression, target: { context }, awaitPromise: true, userActivation: false,
    });
    if (answer.type === "exception") throw new Error(answer.exceptionDetails.text);
    return plain(answer.result);
  }

  async function find(selector) {
    const { nodes } = await send("browsingContext.locateNodes", {
      context, locator: { type: "css", value: selector }, maxNodeCount: 1,
    });
    if (nodes.length === 0) throw new Error(`there is no ${selector}`);
    return { sharedId: nodes[0].sharedId };
  }

  async function click({ selector }) {
    const origin = { type: "element", element: await find(selector) };
    await evaluate(`document.querySelector(${JSON.stringify(selector)}).scrollIntoView({ block: "nearest" })`);
    await send("input.performActions", {
      context,
      actions: [{
        type: "pointer", id: "mouse", actions: [
          { type: "pointerMove", x: 0, y: 0, origin },
          { type: "pointerDown", button: 0 },
          { type: "pointerUp", button: 0 },
        ],
      }],
    });
  }

  return {
    async open({ url: page, first }) {
      const before = context;
      context = (await send("browsingContext.create", { type: "tab" })).context;
      await send("browsingContext.close", { context: before });
      await viewport({ width: 1280, height: 800 });
      if (preload) await send("script.removePreloadScript", { script: preload });
      preload = null;
      if (first) ({ script: preload } = await send("script.addPreloadScript", { functionDeclaration: `() => { ${first} }` }));
      await send("browsingContext.navigate", { context, url: page, wait: "complete" });
      return status;
    },
    async reload() {
      await send("browsingContext.reload", { context, wait: "complete" });
      return status;
    },
    evaluate,
    click,
    async fill({ selector, text }) {
      await click({ selector });
      const keys = [...text].flatMap((value) => [{ type: "keyDown", value }, { type: "keyUp", value }]);
      await send("input.performActions", { context, actions: [{ type: "key", id: "keyboard", actions: keys }] });
    },
    size: viewport,
    async screenshot({ path, selector }) {
      const clip = selector ? { clip: { type: "element", element: await find(selector) } } : {};
      const { data } = await send("browsingContext.captureScreenshot", { context, ...clip });
      await writeFile(path, data, "base64");
    },
    version: () => capabilities.browserVersion,
    async close() {
      send("browser.close", {}).catch(() => {}); // it may end before it answers
      await within(endTime, "Firefox does not end", ended);
    },
  };
}

// address waits for the line that tells where Firefox listens.
async function address(child, ended) {
  const said = [];
  const lines = createInterface({ input: child.stderr });
  return new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      said.push(line);
      const at = /^WebDriver BiDi listening on (ws:\S+)/.exec(line);
      if (at) resolve(at[1]);
    });
    child.on("error", reject);
    ended.then(() => reject(new Error(`Firefox has ended: ${said.join("\n")}`)));
  });
}

// connect opens a session: commands with numbered answers, and events.
async function connect(url) {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 64 << 20 });
  const waiting = new Map();
  const handlers = new Map();
  let last = 0;
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.type === "event") {
      handlers.get(message.method)?.(message.params);
      return;
    }
    const { resolve, reject } = waiting.get(message.id) ?? {};
    waiting.delete(message.id);
    if (message.type === "success") resolve?.(message.result);
    else reject?.(new Error(`${message.error}: ${message.message}`));
  });
  socket.on("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("Firefox has hung up"));
  });
  await once(socket, "open");
  return {
    on: (event, handler) => handlers.set(event, handler),
    send(method, params, time = answerTime) {
      const answer = new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        socket.send(JSON.stringify({ id: last, method, params }));
      });
      return within(time, `${method} is not answered`, answer);
    },
  };
}

// plain makes a value of a remote value; the tests ask for scalars.
function plain({ type, value }) {
  switch (type) {
    case "number":
      return Number(value);
    case "string":
    case "boolean":
      return value;
    default:
      return null;
  }
}

async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} after ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
