// Writes shared/types.gen.ts from ../schemas, so that no frame is ever typed twice.
// `--check` writes nothing and fails when the committed file is stale.

import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";

const files = ["panel", "widget", "api"];
const target = new URL("../shared/types.gen.ts", import.meta.url);

const definitions = {};
for (const name of files) {
  const url = new URL(`../../schemas/${name}.schema.json`, import.meta.url);
  const schema = JSON.parse(await readFile(url, "utf8"));
  for (const [key, value] of Object.entries(schema.$defs)) {
    const known = definitions[key];
    if (known && JSON.stringify(known) !== JSON.stringify(value)) {
      throw new Error(`${key} differs between schema files; the second is ${name}`);
    }
    definitions[key] = value;
  }
}

// Beside a `$ref` stand the words of the field that holds it; with them the compiler would make a type per field.
const bare = (node) => {
  if (Array.isArray(node)) return node.map(bare);
  if (node === null || typeof node !== "object") return node;
  if (typeof node.$ref === "string") return { $ref: node.$ref };
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, bare(value)]));
};

const body = await compile({ $defs: bare(definitions) }, "Unused", {
  additionalProperties: false,
  bannerComment: "// Generated from ../schemas by `npm run types`; do not edit.",
  unreachableDefinitions: true,
  style: { printWidth: 120 },
});
const text = body
  .replace(/export interface Unused \{[\s\S]*?\n\}\n/, "")
  .replace(/ \*\n \* This interface was referenced by `Unused`'s JSON-Schema\n \* via the `definition` "\w+"\.\n/g, "")
  .replace(
    /\/\*\*\n \* This interface was referenced by `Unused`'s JSON-Schema\n \* via the `definition` "\w+"\.\n \*\/\n/g,
    "",
  );

const before = await readFile(target, "utf8").catch(() => "");
if (before === text) process.exit(0);
if (process.argv.includes("--check")) {
  console.error("shared/types.gen.ts is stale; run `npm run types` and commit");
  process.exit(1);
}
await writeFile(target, text);
console.log("wrote shared/types.gen.ts");
