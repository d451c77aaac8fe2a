/** The conformance suite in a browser: a few nets of each kind, because the adapters are a processor in disguise. */
import { describe, expect, test } from "vitest";
import { cases, whyUnsupported } from "../../conformance/cases.ts";
import { EXPECTED } from "../../conformance/comparison.ts";
import { MODES } from "../../conformance/modes.ts";
import type { Backend } from "../page/backend.ts";
import type { Browser, Realm } from "./browser.ts";

const TIMEOUT_MS = 300_000;

/** VDNN_TEST_BROWSER=all runs every tiny case, in the page and in a worker: minutes instead of seconds per backend. */
const RUNS_ALL = process.env["VDNN_TEST_BROWSER"] === "all";

export const NETS: readonly string[] = [
  "trains a VGG-like network",
  "trains a residual network of basic blocks",
  "trains an LSTM",
  "trains a transformer encoder",
  "trains batch normalization and its moving statistics",
];

/** A backend that blocks has a spill tier in workers only. That of webgpu is tested for itself. */
function modesIn(realm: Realm, backend: Backend): string[] {
  const spills = realm === "worker" && backend !== "webgpu";
  return MODES.filter(({ options }) => spills || options.spill === undefined).map((mode) => mode.name);
}

export interface BrowserConformance {
  readonly browser: () => Browser;
  readonly backend: Backend;
  /** What runs in which realm: names of nets, and of modes where not all are meant. */
  readonly runs: readonly { readonly realm: Realm; readonly nets: readonly string[]; readonly modes?: RegExp }[];
}

export function conformanceInBrowser({ browser, backend, runs }: BrowserConformance): void {
  const tiny = cases.filter((each) => each.cost === "tiny" && whyUnsupported(each, backend) === undefined);
  for (const { realm, nets, modes } of runs) {
    const names = RUNS_ALL ? tiny.map(({ name }) => name) : nets;
    const modeNames = modesIn(realm, backend).filter((name) => RUNS_ALL || modes === undefined || modes.test(name));
    describe.each(names)(`in the ${realm}: %s`, (net) => {
      test.each(modeNames)("has the same bits under %s", { timeout: TIMEOUT_MS }, async (mode) => {
        expect(await browser().run(realm, "compare", backend, net, mode)).toEqual(EXPECTED);
      });
    });
  }
}
