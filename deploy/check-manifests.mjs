// Checks Kubernetes manifests against its API's schemas: node check-manifests.mjs FILE…
// kubernetes-models and js-yaml are expected in the folder that NODE_PATH names (deploy/check installs them).
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.env.NODE_PATH + "/");
const yaml = require("js-yaml");
let bad = 0;
for (const file of process.argv.slice(2)) {
  for (const manifest of yaml.loadAll(readFileSync(file, "utf8"))) {
    const of = `${file}: ${manifest.kind} ${manifest.metadata.name}`;
    try {
      const Kind = require(`kubernetes-models/${manifest.apiVersion}/${manifest.kind}`)[manifest.kind];
      new Kind(manifest).validate();
      console.log(`${of}: valid`);
    } catch (error) {
      console.error(`${of}: ${error.message}`);
      bad++;
    }
  }
}
process.exit(bad === 0 ? 0 : 1);
