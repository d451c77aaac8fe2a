/** Chromium for tests. */
import { findProgram, type Program, whyNoProgram } from "./program.ts";

const CHROMIUM: Program = {
  name: "Chromium",
  variable: "CHROMIUM_PATH",
  paths: [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
    "/snap/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
  ],
  names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  package: "chromium",
};

/** Path of the browser's program; undefined if there is none. */
export function findChromium(): string | undefined {
  return findProgram(CHROMIUM);
}

/** Why there is no Chromium here; undefined if there is. */
export function whyNoChromium(): string | undefined {
  return whyNoProgram(CHROMIUM);
}
