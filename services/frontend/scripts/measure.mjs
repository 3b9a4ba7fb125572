// Weighs the export: what a page needs before it works, compressed with gzip. All that a browser
// fetches by itself, with what is lazy, is measured there: see e2e/weight.spec.ts.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const KB = 1000;
const MOST_INITIAL_JS = 235 * KB;
// Names that only these libraries contain; they come when they are needed, never before.
const LATE = {
  recharts: /recharts-|CartesianGrid/,
  stripe: /js\.stripe\.com|StripeElements/,
};

const out = new URL("../out/", import.meta.url).pathname;
const read = (address) => readFileSync(join(out, address));
const weight = (address) => gzipSync(read(address), { level: 9 }).length;
const sum = (addresses) => addresses.reduce((total, each) => total + weight(each), 0);

const problems = [];
for (const page of ["settings/billing", "billing/success", "billing/cancel"]) {
  const html = read(`${page}/index.html`).toString();
  const scripts = [...new Set(html.matchAll(/<script[^>]*\ssrc="([^"]+)"([^>]*)>/g))]
    .filter(([, , rest]) => !rest.includes("noModule"))
    .map(([, source]) => source.split("?")[0]);
  const initial = sum([...new Set(scripts)]);
  // biome-ignore lint/suspicious/noConsole: this is what it is for
  console.log(`/${page}: initial JS ${Math.round(initial / KB)} KB`);
  if (initial > MOST_INITIAL_JS) problems.push(`/${page}: initial JS is ${initial} bytes`);
  for (const [name, mark] of Object.entries(LATE)) {
    const found = scripts.find((each) => mark.test(read(each).toString()));
    if (found) problems.push(`/${page}: ${name} is in the first load, in ${found}`);
  }
}
if (problems.length > 0) {
  process.stderr.write(`${problems.join("\n")}\n`);
  process.exit(1);
}
