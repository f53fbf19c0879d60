// Builds the dashboard and the chart element into the Python package, the same bytes from the same sources every time,
// and fails when a browser would have to load more than is promised.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, transform } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const target = join(here, "../src/clickmeter/dashboard");
const BUDGETS = { firstLoad: 40 * 1024, chart: 10 * 1024 };

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  write: false,
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "utf8",
  legalComments: "none",
  banner: { js: "/* Clickmeter, MIT licence. Contains Preact, (c) Jason Miller, MIT licence. */" },
};

/** A shadow root takes its style as text. */
function styleAsText(builder) {
  builder.onLoad({ filter: /\.css$/ }, async ({ path }) => {
    const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
    return { contents: code.trim(), loader: "text" };
  });
}

const app = await build({
  ...common,
  entryPoints: { app: "src/main.tsx" },
  entryNames: "[name]-[hash]",
  outdir: join(target, "assets"),
  format: "esm",
});
const chart = await build({
  ...common,
  entryPoints: { "clickmeter-chart": "src/element.ts" },
  outdir: target,
  format: "iife",
  plugins: [{ name: "style-as-text", setup: styleAsText }],
});

rmSync(target, { recursive: true, force: true });
mkdirSync(join(target, "assets"), { recursive: true });
const files = [...app.outputFiles, ...chart.outputFiles];
for (const file of files) writeFileSync(file.path, file.contents);

const asset = (ending) => `/assets/${basename(app.outputFiles.find((file) => file.path.endsWith(ending)).path)}`;
const index = readFileSync(join(here, "src/index.html"), "utf8")
  .replace("{{script}}", asset(".js"))
  .replace("{{style}}", asset(".css"));
writeFileSync(join(target, "index.html"), index);

const size = (contents) => gzipSync(contents, { level: 9 }).length;
const sizes = {
  firstLoad: size(index) + app.outputFiles.reduce((sum, file) => sum + size(file.contents), 0),
  chart: size(chart.outputFiles[0].contents),
};
for (const [name, budget] of Object.entries(BUDGETS)) {
  console.log(`${name}: ${sizes[name]} bytes gzip of at most ${budget}`);
  if (sizes[name] > budget) {
    console.error(`${name} is over its budget; make it smaller.`);
    process.exitCode = 1;
  }
}
