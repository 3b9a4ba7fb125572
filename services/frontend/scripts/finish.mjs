// Completes the export: compresses once what would be compressed on every request, and then says
// that all of it is there. The gateway serves nothing before it finds `site.json`.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const OUT = "out";
const WORTH_COMPRESSING = /\.(html|js|css|svg|txt|json)$/;
const LEAST_BYTES = 512;

function files(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

for (const path of files(OUT).filter((each) => WORTH_COMPRESSING.test(each))) {
  const content = readFileSync(path);
  if (content.length < LEAST_BYTES) continue;
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
  const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  writeFileSync(`${path}.br`, brotliCompressSync(content, options));
}

const site = { sources: process.env.SOURCES_DIGEST ?? null, node: process.version };
writeFileSync(join(OUT, "site.json"), `${JSON.stringify(site)}\n`);
