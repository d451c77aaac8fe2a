#!/usr/bin/env node
/**
 * Runs before `npm start` and `npm test`: installs the dependencies when node_modules is missing or differs from
 * package-lock.json, and is otherwise instant. Install scripts stay off: the one that matters, TensorFlow.js's native
 * addon, is built by `npm run native`, and everything runs without it.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

const root = path.dirname(import.meta.dirname);
const reason = staleness();
if (reason !== undefined) {
  console.error(`setup: ${reason}, running npm ci`);
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const child = spawnSync("npm", ["ci", ...flags], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  if (child.status !== 0) {
    console.error("setup: npm ci failed. Check that the npm registry can be reached, then run it by hand.");
    process.exitCode = 1;
  }
}

/** Why node_modules cannot be used as it is, or undefined. Optional packages may be absent but not of another version. */
function staleness() {
  const wanted = packagesOf("package-lock.json");
  const installed = packagesOf("node_modules/.package-lock.json");
  if (wanted === undefined) return undefined;
  if (installed === undefined) return "node_modules is missing";
  const differs = Object.entries(wanted).find(([where, { version, optional, devOptional }]) => {
    if (where === "") return false;
    const found = installed[where];
    return found === undefined ? !(optional || devOptional) : found.version !== version;
  });
  return differs === undefined ? undefined : `${differs[0]} differs from package-lock.json`;
}

function packagesOf(file) {
  try {
    return JSON.parse(fs.readFileSync(path.join(root, file), "utf8")).packages;
  } catch {
    return undefined;
  }
}
