// Writes the types of the API from the gateway's OpenAPI document. It calls no npm: the one that
// PyPI carries cannot be called by its name.
import { writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const document = new URL("../../../docs/openapi.json", import.meta.url);
writeFileSync(
  new URL("../lib/api/schema.d.ts", import.meta.url),
  astToString(await openapiTS(document)),
);
