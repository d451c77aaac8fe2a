/** What the page knows of its runs, and the figures that follow. */
import { describe, expect, test } from "vitest";
import { adviceFor } from "../../demo/src/page/advice.ts";
import { compareBits, movedBytes, peakInUseBytes, typicalStepMs } from "../../demo/src/page/measures.ts";
import { abandon, beginRun, EMPTY, receive, type State } from "../../demo/src/page/state.ts";
import type { Message, RunKind } from "../../demo/src/protocol.ts";
import { defaultSettings, type Settings } from "../../demo/src/settings.ts";
import { FACTS, MEMORY, step, wholeRun } from "./runs.ts";

const SETTINGS = defaultSettings("processor");

function begin(state: State, kind: RunKind, settings: Settings = SETTINGS): State {
  return beginRun(state, { kind, settings, limitBytes: kind === "reference" ? null : 250, plannedSteps: 2 });
}

function play(state: State, messages: readonly Message[]): State {
  return messages.reduce(receive, state);
}

const stock = play(begin(EMPTY, "reference"), wholeRun("reference"));

describe("state", () => {
  test("a run goes from loading over running to finished, and keeps what it told", () => {
    const loading = begin(EMPTY, "vdnn");
    expect(loading.runs.vdnn?.status).toBe("loading");
    const running = receive(loading, { kind: "loaded", run: "vdnn", facts: FACTS });
    expect(running).toMatchObject({ active: "vdnn", runs: { vdnn: { status: "running" } } });
    const finished = play(loading, wholeRun("vdnn"));
    expect(finished).toMatchObject({ active: null, failure: null, runs: { vdnn: { status: "finished" } } });
    expect(finished.runs.vdnn?.steps).toHaveLength(2);
  });

  test("another training forgets the runs that it cannot be compared with", () => {
    expect(Object.keys(begin(stock, "vdnn").runs)).toEqual(["reference", "vdnn"]);
    expect(Object.keys(begin(stock, "vdnn", { ...SETTINGS, batch: 3 }).runs)).toEqual(["vdnn"]);
  });

  test("that stock fails under the limit is an answer; that vdnn fails is a failure of the page", () => {
    const failure = { code: "ERR_OUT_OF_MEMORY", message: "full", step: 0 };
    const fail = (run: RunKind): State =>
      receive(begin(stock, run), { kind: "failed", run, failure, memory: MEMORY, files: null });
    expect(fail("limited")).toMatchObject({ active: null, failure: null, runs: { limited: { failure } } });
    expect(fail("vdnn")).toMatchObject({ active: null, failure, runs: { vdnn: { status: "failed" } } });
  });

  test("what a worker says after its run was abandoned is not heard", () => {
    const abandoned = abandon(begin(EMPTY, "vdnn"), null);
    expect(abandoned).toMatchObject({ active: null, runs: { vdnn: { status: "stopped" } } });
    expect(receive(abandoned, { kind: "step", run: "vdnn", step: step(0, 1) })).toBe(abandoned);
  });
});

describe("figures", () => {
  test("medians leave out the first step, peaks do not", () => {
    const { reference } = stock.runs;
    expect(typicalStepMs(reference)).toBe(10);
    expect(movedBytes(reference)).toBe(200);
    expect(peakInUseBytes(reference)).toBe(1000);
    expect(typicalStepMs(undefined)).toBeNull();
  });

  test("bits are the same only where losses and hashes are", () => {
    const run = (hash: string): State => play(begin(stock, "vdnn"), wholeRun("vdnn", { hash }));
    const compare = ({ runs }: State): boolean | undefined => compareBits(runs.reference, runs.vdnn)?.same;
    expect(compare(run("same"))).toBe(true);
    expect(compare(run("other"))).toBe(false);
    expect(compare(stock)).toBeUndefined();
  });
});

describe("advice", () => {
  const advise = (code: string, message = "", steps = 0) =>
    adviceFor(
      { code, message, step: 0 },
      { ...stock.runs.reference!, steps: stock.runs.reference!.steps.slice(0, steps) },
    );

  test("running out of memory before the first step is a budget too small, later it is the device", () => {
    expect(advise("ERR_OUT_OF_MEMORY").title).toMatch(/below what this network needs/);
    expect(advise("ERR_OUT_OF_MEMORY", "", 2).title).toMatch(/ran out of memory/);
  });

  test("a lost device is told from one that does not start", () => {
    expect(advise("ERR_BACKEND", "the WebGPU device was lost (destroyed)").title).toBe("The device was lost");
    expect(advise("ERR_BACKEND", "no adapter").title).toBe("The device does not work");
  });

  test("every code has something to do", () => {
    for (const code of ["ERR_HOST_MEMORY", "ERR_INVALID_OPTION", "ERR_PARITY", "ERR_WORKER", "ERR_UNEXPECTED"]) {
      expect(advise(code).remedies.length).toBeGreaterThan(0);
    }
  });
});
