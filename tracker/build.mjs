/**
 * What is built, where does it go, and how large may it be?
 *
 * `clickmeter.js` and `clickmeter.core.js` go into the Python package, which serves them; they are committed, so that
 * neither the wheel nor `make run` needs Node. The ES module goes to dist/, for npm. Fails when a script is over budget.
 */

import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const place = (path) => fileURLToPath(new URL(path, import.meta.url));
const SERVED = place("../src/clickmeter/tracker");
const SCRIPTS = [
  { entry: "src/script.ts", file: "clickmeter.js", budget: 3_000 },
  { entry: "src/script-core.ts", file: "clickmeter.core.js", budget: 2_000 },
];
const SHARED = {
  bundle: true,
  target: "es2020",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  tsconfigRaw: {}, // else esbuild reads tsconfig.json and adds "use strict", which a module is anyway
};

const bundle = async (entry, options) => {
  const result = await build({ ...SHARED, ...options, entryPoints: [place(entry)], write: false });
  return result.outputFiles[0].contents;
};

let isOver = false;
await mkdir(SERVED, { recursive: true });
for (const { entry, file, budget } of SCRIPTS) {
  const script = await bundle(entry, { format: "iife", minify: true });
  await writeFile(`${SERVED}/${file}`, script);
  const size = gzipSync(script, { level: 9 }).length;
  console.log(`${file}: ${size} of ${budget} bytes as gzip`);
  isOver ||= size > budget;
}

await rm(place("dist"), { recursive: true, force: true });
await mkdir(place("dist"));
await writeFile(place("dist/index.js"), await bundle("src/index.ts", { format: "esm" }));

if (isOver) {
  console.error("A script is over its budget; make it smaller.");
  process.exitCode = 1;
}
