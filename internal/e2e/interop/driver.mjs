// Drives a browser with any number of pages for the Go tests. It reads commands
// from standard input, one JSON object a line, and answers each with a line:
// {"id": …, "value": …} or {"id": …, "error": "…"}. Commands run side by side.
// It ends with its input.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [executablePath] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  headless: true,
  chromiumSandbox: false,
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
const pages = new Map(); // by number: { context, page, cdp, complaints }

const commands = {
  // Each page has a context, and so a process, of its own.
  async open({ page: number, url }) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    const complaints = [];
    pages.set(number, { context, page, complaints });
    const complain = (text) => {
      complaints.push(text);
      console.error(`page ${number}: ${text}`);
    };
    page.on("crash", () => complain("error: the page crashed"));
    page.on("pageerror", (err) => complain(`error: ${err.stack ?? err}`));
    page.on("console", (message) => {
      const text = `${message.type()}: ${message.text()}`;
      if (message.type() === "error") complain(text);
      else console.error(`page ${number}: ${text}`);
    });
    const response = await page.goto(url, { timeout: 20000 });
    return response?.status() ?? 0;
  },
  // Without a word to the page.
  async close({ page }) {
    await pages.get(page).context.close();
    pages.delete(page);
  },
  eval: ({ page, expression }) => pages.get(page).page.evaluate(expression),
  async wait({ page, expression, timeout }) {
    const end = Date.now() + timeout;
    for (;;) {
      const value = await pages.get(page).page.evaluate(expression);
      if (value) return value;
      if (Date.now() > end) throw new Error(`not so after ${timeout} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
  // A command of the Chrome DevTools protocol.
  async cdp({ page, method, params }) {
    const p = pages.get(page);
    p.cdp ??= await p.context.newCDPSession(p.page);
    return p.cdp.send(method, params);
  },
  async screenshot({ page, path, selector }) {
    const p = pages.get(page).page;
    if (selector) await p.locator(selector).first().screenshot({ path, timeout: 10000 });
    else await p.screenshot({ path, timeout: 10000 });
  },
  complaints: ({ page }) => pages.get(page).complaints.splice(0),
};

async function run(line) {
  const { id, command, ...args } = JSON.parse(line);
  let answer;
  try {
    answer = { id, value: (await commands[command](args)) ?? null };
  } catch (err) {
    answer = { id, error: String(err.message ?? err) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

for await (const line of createInterface({ input: process.stdin })) void run(line);
await browser.close();
