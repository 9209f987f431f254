// Drives a browser for the Go tests:
//
//   node driver.mjs chromium|firefox EXECUTABLE PROFILE
//
// It reads commands from standard input, one JSON object a line, works them off
// one after the other, and answers each with a line: {"value": …} or
// {"error": "…"}. What the page complains of goes to standard error, and into
// the answer to "complaints". It ends with its input.

import { createInterface } from "node:readline";

const [engine, executable, profile] = process.argv.slice(2);
const complaints = [];

// heard takes what the page says; level is that of its console.
function heard(level, text) {
  if (level === "error") complaints.push(text);
  console.error(`${level}: ${text}`);
}

// A browser has open({url, first}), which returns the status, reload,
// evaluate(expression), click({selector}), fill({selector, text}),
// size({width, height}), screenshot({path, selector}), version, and close.
const { launch } = await import(`./${engine}.mjs`);
const browser = await launch(executable, profile, heard);

const commands = {
  ...browser,
  eval: ({ expression }) => browser.evaluate(expression),
  // Not the libraries' own waiting: it compiles strings inside the page, which
  // the page may forbid.
  async wait({ expression, timeout }) {
    const end = Date.now() + timeout;
    while (!(await browser.evaluate(expression))) {
      if (Date.now() > end) throw new Error(`not so after ${timeout} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
  complaints: () => complaints.splice(0),
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
await browser.close();
