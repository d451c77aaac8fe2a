/** Browsers other than Chromium: where they are, and how each is started on an address with a profile of its own. */
import { existsSync } from "node:fs";
import { hasDisplay } from "./display.ts";
import { findProgram, type Program, whyNoProgram } from "./program.ts";

export interface Engine extends Program {
  /** Switches for where there is no display; undefined if it needs one. */
  readonly headless?: readonly string[];
  /** Files that the profile, a directory, has before the start: contents by name. */
  readonly profileFiles: Readonly<Record<string, string>>;
  readonly argumentsFor: (url: string, profile: string) => readonly string[];
  readonly environmentFor: (profile: string) => Readonly<Record<string, string>>;
}

/** Nothing but the page: no first-run pages, no updates, no telemetry. WebGPU is off by default on Linux. */
const FIREFOX_PREFERENCES = {
  "app.normandy.enabled": false,
  "app.update.enabled": false,
  "browser.aboutwelcome.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "datareporting.policy.dataSubmissionEnabled": false,
  "dom.webgpu.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
  "toolkit.telemetry.reportingpolicy.firstRun": false,
  "webgl.force-enabled": true,
};

/** Vulkan on the processor, as Debian's chromium brings it. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** Without a display it has no WebGL. */
export const FIREFOX: Engine = {
  name: "Firefox",
  variable: "FIREFOX_PATH",
  paths: ["/usr/bin/firefox-esr", "/Applications/Firefox.app/Contents/MacOS/firefox"],
  names: ["firefox-esr", "firefox"],
  package: "firefox-esr",
  headless: ["--headless"],
  profileFiles: {
    "user.js": Object.entries(FIREFOX_PREFERENCES)
      .map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`)
      .join(""),
  },
  argumentsFor: (url, profile) => ["--no-remote", "--profile", profile, url],
  environmentFor: (): Record<string, string> => (existsSync(SWIFTSHADER) ? { VK_ICD_FILENAMES: SWIFTSHADER } : {}),
};

/** By WebKitGTK's own small browser. It has no private file system of the origin, which Safari has. */
export const WEBKIT: Engine = {
  name: "WebKitGTK",
  variable: "WEBKIT_PATH",
  paths: ["x86_64", "aarch64"].map((machine) => `/usr/lib/${machine}-linux-gnu/webkit2gtk-4.1/MiniBrowser`),
  names: ["MiniBrowser"],
  package: "webkit2gtk-driver",
  profileFiles: {},
  argumentsFor: (url) => [url],
  environmentFor: (profile) => ({ XDG_DATA_HOME: profile, XDG_CACHE_HOME: profile, XDG_CONFIG_HOME: profile }),
};

/** Why it is not tested here; undefined if it is. */
export function whyNoEngine(engine: Engine): string | undefined {
  const canStart = engine.headless !== undefined || hasDisplay();
  return whyNoProgram(engine) ?? (canStart ? undefined : `${engine.name} needs a display; install xvfb`);
}

/** The program, and its arguments with a display or without one. */
export function commandFor(
  engine: Engine,
  url: string,
  profile: string,
  display: boolean,
): readonly [string, ...string[]] {
  const file = findProgram(engine);
  if (file === undefined) throw new Error(`there is no ${engine.name} here; ask whyNoEngine first`);
  return [file, ...(display ? [] : (engine.headless ?? [])), ...engine.argumentsFor(url, profile)];
}
