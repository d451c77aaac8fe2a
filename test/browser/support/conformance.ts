/** The conformance suite in a browser: a few nets of each kind, because the adapters are a processor in disguise. */
import { describe, expect, test } from "vitest";
import { cases, whyUnsupported } from "../../conformance/cases.ts";
import { EXPECTED } from "../../conformance/comparison.ts";
import { MODES } from "../../conformance/modes.ts";
import type { Backend } from "../page/backend.ts";
import type { Browser, Realm } from "./browser.ts";

/** VDNN_TEST_BROWSER=all runs every tiny case, in the page and in a worker: minutes instead of seconds per backend. */
const RUNS_ALL = process.env["VDNN_TEST_BROWSER"] === "all";

export const VGG = "trains a VGG-like network";
export const RESNET = "trains a residual network of basic blocks";
export const LSTM = "trains an LSTM";
export const LSTM_STACK = "trains a stack of LSTM layers";
export const ATTENTION = "trains a transformer encoder";
export const BATCH_NORM = "trains batch normalization and its moving statistics";

/** A backend that blocks has a spill tier in workers only. That of webgpu is tested for itself. */
function modesIn(realm: Realm, backend: Backend): string[] {
  const spills = realm === "worker" && backend !== "webgpu";
  return MODES.filter(({ options }) => spills || options.spill === undefined).map((mode) => mode.name);
}

export interface BrowserConformance {
  readonly browser: () => Pick<Browser, "run">;
  readonly backend: Backend;
  /** Names of the cases that run in each realm, in every mode. */
  readonly nets: Readonly<Record<Realm, readonly string[]>>;
}

export function conformanceInBrowser({ browser, backend, nets }: BrowserConformance): void {
  const tiny = cases.filter((each) => each.cost === "tiny" && whyUnsupported(each, backend) === undefined);
  for (const realm of ["page", "worker"] as const) {
    const names = RUNS_ALL ? tiny.map(({ name }) => name) : nets[realm];
    describe.each(names)(`in the ${realm}: %s`, (net) => {
      test.each(modesIn(realm, backend))("has the same bits under %s", async (mode) => {
        expect(await browser().run(realm, "compare", backend, net, mode)).toEqual(EXPECTED);
      });
    });
  }
}
