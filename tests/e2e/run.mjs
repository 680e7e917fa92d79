// The whole way in a real browser, over the embedded bus and over RabbitMQ.
//
//   node run.mjs [--junit FILE] [--only embedded|rabbitmq [--demo FILE]]
//
// --demo FILE takes a demo that runs already: the line that `cargo xtask demo --json` printed.
// TIELINE_SHOTS names a folder for a picture of each step, TIELINE_CHROMIUM another browser than /usr/bin/chromium. The
// pages of the three CRMs are in target/pictures after every run.
import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { callTests } from "./call.mjs";
import { chatTests } from "./chat.mjs";
import { close, inSuite } from "./checks.mjs";
import { running, startDemo } from "./demo.mjs";
import { threeTests } from "./three.mjs";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

const { values } = parseArgs({ options: { junit: { type: "string" }, only: { type: "string" }, demo: { type: "string" } } });
const shots = process.env.TIELINE_SHOTS ?? null;
if (shots !== null) mkdirSync(shots, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.TIELINE_CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
try {
  for (const [bus, words] of [["embedded", []], ["rabbitmq", ["--rabbitmq"]]]) {
    if (values.only !== undefined && values.only !== bus) continue;
    const demo = values.demo === undefined ? await startDemo(words) : running(values.demo);
    try {
      const world = { demo, browser, bus, shots };
      inSuite(`chat over ${bus}`);
      await chatTests(world);
      if (bus === "rabbitmq") {
        inSuite(`call over ${bus}`);
        await callTests(world);
        inSuite(`three CRMs over ${bus}`);
        await threeTests(world);
      }
    } finally {
      await demo.stop();
    }
  }
} finally {
  await browser.close();
}
process.exitCode = close(values.junit ?? null) ? 0 : 1;
