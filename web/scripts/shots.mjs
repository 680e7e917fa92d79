// A picture of every state, in light and dark, at 320, 640 and 1,100 px: `npm run shots [-- scene…]`. They go into
// target/web-shots. Fails when a page throws, overflows sideways, writes an error to its console, or breaks a rule of axe.
import { mkdir } from "node:fs/promises";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { createServer } from "vite";

const out = new URL("../../target/web-shots/", import.meta.url).pathname;
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const wanted = process.argv.slice(2);
const widgetScenes = ["form", "form-problems", "waiting", "talking", "reconnecting", "limit", "refused", "ended"];
const sizes = [
  [320, 560],
  [640, 620],
  [1100, 700],
];

await mkdir(out, { recursive: true });
const server = await createServer({
  configFile: new URL("../vite.fixtures.config.ts", import.meta.url).pathname,
  logLevel: "error",
  server: { hmr: false, watch: null },
});
await server.listen();
const base = `http://127.0.0.1:${server.config.server.port}`;
const { scenes } = await server.ssrLoadModule("/fixtures/scenes.ts");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
const problems = [];

let name = "";
const page = await browser.newPage();
page.on("pageerror", (error) => problems.push(`${name}: ${error.message}`));
page.on("console", (line) => line.type() === "error" && problems.push(`${name}: ${line.text()}`));

async function shoot(url, picture, mode, width, height) {
  name = picture;
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: mode });
  await page.goto(base + url);
  await page.waitForSelector("body[data-ready]");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) problems.push(`${name}: ${wide} px too wide`);
  await page.evaluate(axe.source);
  const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const { violations } = await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), rules);
  for (const { id, nodes } of violations)
    problems.push(`${name}: axe ${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  await page.screenshot({ path: `${out}${name}.png`, animations: "disabled" });
}

const themes = ["tieline", "salesforce", "dynamics", "zendesk"];
const pick = (name) => wanted.length === 0 || wanted.includes(name);
for (const mode of ["light", "dark"]) {
  for (const scene of ["sign-in", ...Object.keys(scenes)].filter((one) => !one.startsWith("three-") && pick(one))) {
    for (const [width, height] of sizes)
      await shoot(`/fixtures/?scene=${scene}&mode=${mode}`, `${scene}-${mode}-${width}`, mode, width, height);
  }
  for (const theme of themes.slice(1).filter((one) => pick(`theme-${one}`))) {
    for (const scene of ["chat", "offer-known", "wrap-up-chosen"]) {
      await shoot(
        `/fixtures/?scene=${scene}&mode=${mode}&theme=${theme}`,
        `theme-${theme}-${scene}-${mode}`,
        mode,
        1000,
        620,
      );
    }
  }
  for (const scene of Object.keys(scenes).filter((one) => one.startsWith("three-") && pick(one))) {
    for (const theme of themes) {
      for (const [width, height] of sizes)
        await shoot(
          `/fixtures/?scene=${scene}&mode=${mode}&theme=${theme}`,
          `${scene}-${theme}-${mode}-${width}`,
          mode,
          width,
          height,
        );
    }
    // German takes about a third more room.
    for (const [width, height] of sizes)
      await shoot(
        `/fixtures/?scene=${scene}&mode=${mode}&words=long`,
        `${scene}-long-${mode}-${width}`,
        mode,
        width,
        height,
      );
  }
  for (const scene of widgetScenes.filter((one) => pick(`widget-${one}`))) {
    await shoot(`/fixtures/widget.html?scene=${scene}&mode=${mode}`, `widget-${scene}-${mode}`, mode, 376, 640);
  }
}
await browser.close();
await server.close();
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);
