/**
 * Copies beside compute on WebGPU, as the exported trace shows them, over a simulated link. Skipped, and says so, without an adapter.
 */
import type * as tfjs from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { SimulatedLink } from "../../benchmarks/simulated-link.ts";
import { type ChromeEvent, LANES, toChromeTrace } from "../../src/report/trace-events.ts";
import type { Lane } from "../../src/report/result.ts";
import { describeOnWebGpu } from "../support/describe-webgpu.ts";
import { perceptron } from "../support/perceptron.ts";
import { step, within } from "../support/perceptron-steps.ts";

let tf: typeof tfjs;
const link = new SimulatedLink();

/** Before what is looked at, steps are recorded and planned twice. */
const WARMUP = 3;
const STEPS = 3;
/** Of a step, the link is busy. */
const LINK_SHARE = 0.3;

/** Microseconds. */
type Span = readonly [start: number, end: number];

/** Of the copies' time, where the device computed meanwhile. */
interface Shares {
  readonly copies: number;
  readonly offload: number;
  readonly prefetch: number;
}

describeOnWebGpu(
  (loaded) => {
    tf = loaded;
    link.install();
  },
  () => {
    describe("lanes of the trace", () => {
      // The best of some steps: on a machine that others use, the link may be too slow for one of them.
      test("offloads and prefetches lie under compute, except where each copy is awaited", async () => {
        const beside = await sharesOf(false);
        expect(beside.every(({ copies }) => copies > 12)).toBe(true);
        expect(Math.max(...beside.map(({ offload }) => offload))).toBeGreaterThan(0.2);
        expect(Math.max(...beside.map(({ prefetch }) => prefetch))).toBeGreaterThan(0.2);
        const awaited = await sharesOf(true);
        expect(awaited.map(({ copies }) => copies)).toEqual(beside.map(({ copies }) => copies));
        expect(Math.max(...awaited.map(({ offload }) => offload))).toBeLessThan(0.05);
      });
    });
  },
);

/** Of each step that follows its plan. */
async function sharesOf(awaitEachCopy: boolean): Promise<Shares[]> {
  return within(tf, { policy: "vdnn-all", awaitEachCopy, trace: true }, async (session) => {
    const net = perceptron(tf, tf.train.sgd(0.05), 12);
    let fastestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < WARMUP; i++) {
      const start = performance.now();
      await step(session, net);
      fastestMs = Math.min(fastestMs, performance.now() - start);
    }
    const { offloadBytes = 0 } = session.report().iterations.at(-1) ?? {};
    link.gigabytesPerSecond = offloadBytes / (LINK_SHARE * fastestMs * 1e6);
    link.awaitsEachCopy = awaitEachCopy;
    for (let i = 0; i < STEPS; i++) await step(session, net);
    link.gigabytesPerSecond = Number.POSITIVE_INFINITY;
    link.awaitsEachCopy = false;
    net.dispose();
    const { traceEvents } = toChromeTrace(session.trace(), "steps of a perceptron");
    return Array.from({ length: STEPS }, (_, i) => {
      const events = traceEvents.filter(({ args }) => args["iteration"] === WARMUP + i);
      const compute = spansOn(events, "compute");
      const offloads = spansOn(
        events.filter(({ name }) => name === "to the host"),
        "offload",
      );
      return {
        copies: offloads.length,
        offload: shareUnder(offloads, compute),
        prefetch: shareUnder(spansOn(events, "prefetch"), compute),
      };
    });
  });
}

function spansOn(events: readonly ChromeEvent[], lane: Lane): Span[] {
  const thread = LANES.findIndex(([each]) => each === lane) + 1;
  return events.flatMap(({ ph, tid, ts, dur = 0 }) => (ph === "X" && tid === thread ? [[ts, ts + dur] as const] : []));
}

/** The part of the spans' time in which one of the others runs, which follow each other. */
function shareUnder(spans: readonly Span[], others: readonly Span[]): number {
  const under = spans.flatMap(([start, end]) =>
    others.map(([from, to]): Span => [Math.max(start, from), Math.max(start, from, Math.min(end, to))]),
  );
  return total(under) / total(spans);
}

function total(spans: readonly Span[]): number {
  return spans.reduce((sum, [start, end]) => sum + end - start, 0);
}
