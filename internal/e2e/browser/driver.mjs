// Drives a browser for the Go tests. It reads commands from standard input, one
// JSON object a line, works them off one after the other, and answers each with
// a line: {"value": …} or {"error": "…"}. What the page complains of goes to
// standard error, and into the answer to "complaints". It ends with its input.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [executablePath, profile] = process.argv.slice(2);
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  chromiumSandbox: false,
  viewport: { width: 1280, height: 800 },
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
  ],
});
const complaints = [];
let page = null;

function complain(text) {
  complaints.push(text);
  console.error(text);
}

const commands = {
  async open({ url, first }) {
    await page?.close({ runBeforeUnload: false });
    page = await context.newPage();
    if (first) await page.addInitScript(first);
    page.on("pageerror", (err) => complain(`error: ${err.stack ?? err}`));
    page.on("console", (message) => {
      const text = `${message.type()}: ${message.text()} (${message.location().url})`;
      if (message.type() === "error") complain(text);
      else console.error(text);
    });
    const response = await page.goto(url, { timeout: 20000 });
    return response?.status() ?? 0;
  },
  reload: async () => (await page.reload({ timeout: 20000 })).status(),
  eval: ({ expression }) => page.evaluate(expression),
  // Playwright's own waiting compiles strings inside the page, which the page
  // forbids.
  async wait({ expression, timeout }) {
    const end = Date.now() + timeout;
    while (!(await page.evaluate(expression))) {
      if (Date.now() > end) throw new Error(`not so after ${timeout} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
  click: ({ selector }) => page.click(selector, { timeout: 5000 }),
  fill: ({ selector, text }) => page.fill(selector, text, { timeout: 5000 }),
  scheme: ({ scheme }) => page.emulateMedia({ colorScheme: scheme }),
  size: ({ width, height }) => page.setViewportSize({ width, height }),
  async screenshot({ path, selector }) {
    if (selector) await page.locator(selector).first().screenshot({ path, timeout: 10000 });
    else await page.screenshot({ path, timeout: 10000 });
  },
  complaints: () => complaints.splice(0),
  version: () => context.browser()?.version() ?? "",
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { command, ...args } = JSON.parse(line);
    answer = { value: (await commands[command](args)) ?? null };
  } catch (err) {
    answer = { error: String(err.message ?? err) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await context.close();
