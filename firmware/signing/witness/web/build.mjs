// Puts page, style and program into one file: dist/page.html, the template that `c1kiosk witness-page` fills in.
// The policy names the hashes of the program and of the style, so that nothing else can run on the page.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const OUT = process.argv[2];

const bundled = await build({
  entryPoints: ["src/main.ts"],
  bundle: true,
  minify: true,
  write: false,
  format: "iife",
  target: ["safari15", "chrome100", "firefox100"],
  charset: "ascii",
  legalComments: "inline",
  loader: { ".wasm": "binary" },
});
const script = bundled.outputFiles[0].text;
const style = readFileSync("style.css", "utf8");
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
// wasm-unsafe-eval: the QR reader is WebAssembly. Nothing else is allowed, no address of any kind among it.
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)} 'wasm-unsafe-eval'`,
  `style-src ${hash(style)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const parts = { POLICY: policy, STYLE: style, SCRIPT: script };
const page = readFileSync("page.html", "utf8").replace(/__(POLICY|STYLE|SCRIPT)__/g, (_, name) => parts[name]);
mkdirSync(OUT, { recursive: true });
writeFileSync(`${OUT}/page.html`, page);
