// Runs specs in Chromium for the Go program beside it. Its argument is a file
// with the settings; it prints a JSON object for each thing that happens, one a
// line: {bundled}, {spec}, {test, state, …}, {end}.
//
// The specs are bundled as they are, together with the published package, from
// a copy of the checkout in which es5 is that of the package.

import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import browserify from "browserify";
import envify from "envify/custom.js";
import { chromium } from "playwright-core";

const settings = JSON.parse(await readFile(process.argv[2], "utf8"));
const { checkout, work, specs, grep, env, hosts, port, seconds, quiet } = settings;
const modules = join(dirname(fileURLToPath(import.meta.url)), "node_modules");
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const tree = join(work, "tree");
await mkdir(tree, { recursive: true });
for (const part of ["test", "docker"]) await cp(join(checkout, part), join(tree, part), { recursive: true });
for (const part of ["es5", "lib", "src", "package.json"]) {
  await cp(join(modules, "twilio-video", part), join(tree, part), { recursive: true });
}
await symlink(modules, join(tree, "node_modules"));

await new Promise((resolve, reject) => {
  const bundler = browserify({ basedir: tree });
  for (const spec of specs) bundler.require(`./test/integration/spec/${spec}`, { expose: `spec/${spec}` });
  bundler.transform(envify({ ...env, _: "purge" }));
  bundler.bundle((err, code) => (err ? reject(err) : resolve(writeFile(join(work, "bundle.js"), code))));
});
say({ bundled: true });

const types = { ".js": "text/javascript", ".mjs": "text/javascript", ".m4a": "audio/mp4", ".wasm": "application/wasm" };
const mocha = createRequire(import.meta.url).resolve("mocha/mocha.js");
const served = {
  "/mocha.js": mocha,
  "/bundle.js": join(work, "bundle.js"),
};
const folders = {
  "/static/": join(tree, "test/static"),
  "/noisecancellation/": join(tree, "test/assets/noisecancellation"),
};
const page = `<!doctype html><meta charset="utf-8"><title>specs</title><body>
<div id="mocha"></div><script src="/mocha.js"></script><script src="/bundle.js"></script>`;
const web = createServer(async (request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  let file = served[path];
  for (const [prefix, folder] of Object.entries(folders)) {
    if (path.startsWith(prefix)) file = join(folder, path.slice(prefix.length));
  }
  try {
    const body = path === "/" ? page : await readFile(file);
    response.writeHead(200, { "content-type": types[extname(path)] ?? "text/html" });
    response.end(body);
  } catch {
    response.writeHead(404);
    response.end();
  }
});
await new Promise((resolve) => web.listen(0, "127.0.0.1", resolve));

const rules = [...hosts.map((host) => `MAP ${host}:443 127.0.0.1:${port}`), "MAP *.twilio.com ~NOTFOUND"];
const browser = await chromium.launch({
  executablePath: settings.chromium,
  headless: true,
  chromiumSandbox: false,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    `--host-resolver-rules=${rules.join(", ")}`,
    "--ignore-certificate-errors",
  ],
});

// inPage runs one spec and reports what mocha says.
function inPage({ spec, grep }) {
  const tell = (message) => window.peersuite(JSON.stringify(message));
  const mocha = window.mocha;
  function Reporter(runner) {
    const title = (test) => test.fullTitle();
    runner.on("pass", (test) => tell({ test: title(test), state: "pass", ms: test.duration }));
    runner.on("pending", (test) => tell({ test: title(test), state: "pending" }));
    runner.on("fail", (test, err) =>
      tell({ test: title(test), state: "fail", error: String(err?.stack ?? err?.message ?? err).slice(0, 2000) }));
    runner.on("end", () => tell({ done: true }));
  }
  mocha.setup({ ui: "bdd", reporter: Reporter, timeout: 60000 });
  if (grep) mocha.grep(new RegExp(grep));
  window.require(`spec/${spec}`);
  mocha.run();
}

for (const spec of specs) {
  say({ spec });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const tab = await context.newPage();
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  await tab.exposeBinding("peersuite", (_, line) => {
    const message = JSON.parse(line);
    if (message.done) finish("");
    else say(message);
  });
  tab.on("crash", () => finish("the page crashed"));
  tab.on("pageerror", (err) => console.error(`page: ${err}`));
  if (!quiet) tab.on("console", (message) => console.error(`${message.type()}: ${message.text().slice(0, 500)}`));
  const timer = setTimeout(() => finish(`cut after ${seconds} s`), seconds * 1000);
  await tab.goto(`http://localhost:${web.address().port}/`, { timeout: 120000 });
  await tab.evaluate(inPage, { spec, grep }).catch((err) => finish(`the spec cannot be loaded: ${err.message}`));
  const cut = await finished;
  clearTimeout(timer);
  say({ end: spec, cut });
  await context.close().catch(() => {});
}
await browser.close();
web.close();
