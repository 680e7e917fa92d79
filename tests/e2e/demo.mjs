// The demo as a person starts it, and what stands around it: its sandbox and its telephone system.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const ROOT = new URL("../..", import.meta.url).pathname;
const READY_WITHIN_MS = 600_000;

/** Starts `cargo xtask demo` and gives its addresses and a way to stop it. */
export async function startDemo(words) {
  const child = spawn("cargo", ["xtask", "demo", "--json", ...words], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
  const ready = new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("{")) resolve(JSON.parse(line));
      else console.log(`  demo: ${line}`);
    });
    ended.then((how) => reject(new Error(`the demo ended before it was ready (${how})`)));
    setTimeout(() => reject(new Error("the demo was not ready in time")), READY_WITHIN_MS).unref();
  });
  const stop = async () => {
    child.kill("SIGTERM");
    return await ended;
  };
  try {
    return { ...(await ready), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A demo that somebody else started, by the line it printed; it goes on afterwards. */
export function running(file) {
  return { ...JSON.parse(readFileSync(file, "utf8")), stop: async () => undefined };
}

/** Asks a sandbox's own surface, which is no part of the CRM; Salesforce's unless another is named. */
export async function sandbox(demo, path, init, vendor = "salesforce") {
  const answer = await fetch(`${demo.sandboxes[vendor]}/__sandbox${path}`, init);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return text === "" ? null : JSON.parse(text);
}

/** Publishes a call event with the script of the documentation, which is an independent client. */
export function publishCall(demo, { what, caller, agent, call }) {
  const python = process.env.TIELINE_PYTHON ?? "python3";
  const words = ["docs/publish_call.py", demo.bus_url, demo.tenant, caller, agent, what, call];
  const done = spawnSync(python, words, { cwd: ROOT, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`publish_call.py ${what}: ${done.stderr || done.error}`);
}
