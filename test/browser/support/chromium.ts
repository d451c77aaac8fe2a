/** Chromium for tests; and its absence as a normal answer. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

const PATHS = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Path of the browser's program: CHROMIUM_PATH, else where systems put it, else what PATH finds; undefined if there is none. */
export function findChromium(): string | undefined {
  const named = process.env["CHROMIUM_PATH"];
  if (named !== undefined) return existsSync(named) ? named : undefined;
  return PATHS.find((path) => existsSync(path)) ?? findOnPath();
}

/** Why there is no Chromium here; undefined if there is. */
export function whyNoChromium(): string | undefined {
  if (findChromium() !== undefined) return undefined;
  const named = process.env["CHROMIUM_PATH"];
  const why =
    named === undefined
      ? "no Chromium found; install one (`apt-get install chromium`) or set CHROMIUM_PATH"
      : `CHROMIUM_PATH names ${named}, which does not exist`;
  // Reporters leave out the names of tests that did not run.
  console.warn(`tests in a browser are skipped: ${why}`);
  return why;
}

function findOnPath(): string | undefined {
  for (const name of NAMES) {
    try {
      return execFileSync("which", [name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
      // `which` says by its exit code that there is none.
    }
  }
  return undefined;
}
