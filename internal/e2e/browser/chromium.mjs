// Chromium, through playwright-core.

import { chromium } from "playwright-core";

export async function launch(executablePath, profile, heard) {
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
  let page = null;

  return {
    async open({ url, first }) {
      await page?.close({ runBeforeUnload: false });
      page = await context.newPage();
      if (first) await page.addInitScript(first);
      page.on("pageerror", (err) => heard("error", `${err.stack ?? err}`));
      page.on("console", (m) => heard(m.type(), `${m.text()} (${m.location().url})`));
      const response = await page.goto(url, { timeout: 20000 });
      return response?.status() ?? 0;
    },
    reload: async () => (await page.reload({ timeout: 20000 })).status(),
    evaluate: (expression) => page.evaluate(expression),
    click: ({ selector }) => page.click(selector, { timeout: 5000 }),
    fill: ({ selector, text }) => page.fill(selector, text, { timeout: 5000 }),
    scheme: ({ scheme }) => page.emulateMedia({ colorScheme: scheme }),
    size: ({ width, height }) => page.setViewportSize({ width, height }),
    async screenshot({ path, selector }) {
      if (selector) await page.locator(selector).first().screenshot({ path, timeout: 10000 });
      else await page.screenshot({ path, timeout: 10000 });
    },
    version: () => context.browser()?.version() ?? "",
    close: () => context.close(),
  };
}
