/**
 * Two policies of unified memory as G10's simulator models them, for comparison; neither is a policy of vdnn.
 *
 * `lru` (the paper's Base UVM): a kernel that finds pages of its tensors away waits for them; what is on the device longest goes,
 * dead tensors too, to the host until that is full, then to the SSD. Nothing is ever freed, so from the second iteration on outputs are
 * fetched as well as inputs.
 * `deepUM` (Jung et al., ASPLOS 2023, with perfect prediction): at kernel k what kernel k + 8 touches is fetched or allocated
 * ahead; what the next 8 kernels touch is not evicted for it, and a dead tensor's pages are dropped without a copy.
 *
 * Every 13 us a batch of 50 pages may enter the device's link in each direction, of which 10 may be the SSD's. A kernel with faults
 * ends when its pages are there, but not before its own time plus what serving the faults takes (`faultMs`). Here a batch is
 * four of the artifact's.
 */
import type { Graph } from "../../graph/graph.ts";
import { existsBefore, lifetimes } from "../../graph/lifetimes.ts";
import { type FlatGraph, flatten } from "../../plan/flat.ts";
import { Pages } from "./pages.ts";
import type { G10Setting } from "./setting.ts";
import { UvmLink, type UvmPolicy } from "./uvm-link.ts";

export interface UvmIteration {
  readonly stepMs: number;
  readonly hostInBytes: number;
  readonly hostOutBytes: number;
  readonly ssdInBytes: number;
  readonly ssdOutBytes: number;
}

export interface UvmRun {
  /** The one that the artifact's scripts report: the faster one. */
  readonly reported: UvmIteration;
  readonly iterations: readonly UvmIteration[];
}

export function simulateUvm(graph: Graph, setting: G10Setting, policy: UvmPolicy): UvmRun {
  const flat = flatten(graph);
  const { pageBytes } = setting;
  const size = flat.bytes.map((bytes) => Math.ceil(bytes / pageBytes));
  const pages = new Pages(size, Math.round(setting.deviceBytes / pageBytes), Math.floor(setting.hostBytes / pageBytes));
  const spans = lifetimes(graph).map(({ definedBy, lastUse, role }) =>
    existsBefore(role) ? ([0, flat.kernelCount] as const) : ([definedBy, lastUse] as const),
  );
  graph.tensors.forEach(({ role }, t) => {
    if (existsBefore(role)) pages.ssd[t] = size[t] as number;
  });
  const link = new UvmLink(pages, setting, policy, spans);
  const needs = requiredTensors(flat);
  const iterations: UvmIteration[] = [];
  let now = 0;
  for (let iteration = 0; iteration < 2; iteration++) {
    const [start, before] = [now, link.traffic()];
    for (let k = 0; k < flat.kernelCount; k++) now = runKernel(k, now);
    const after = link.traffic();
    const moved = (i: number): number => ((after[i] as number) - (before[i] as number)) * pageBytes;
    iterations.push({
      stepMs: now - start,
      hostInBytes: moved(0),
      hostOutBytes: moved(1),
      ssdInBytes: moved(2),
      ssdOutBytes: moved(3),
    });
  }
  const [first, second] = iterations as [UvmIteration, UvmIteration];
  return { reported: first.stepMs < second.stepMs ? first : second, iterations };

  function runKernel(k: number, start: number): number {
    const required = needs[k] as readonly number[];
    const ms = flat.ms[k] as number;
    const ahead = policy === "deepUM" ? setting.prefetchDegree : 0;
    link.beginKernel(k, required, windowOf(k, ahead));
    if (ahead > 0) {
      for (const t of needs[(k + ahead) % flat.kernelCount] as readonly number[]) link.ask(t, false);
    }
    if (required.every((t) => pages.isHere(t))) {
      link.run(start, start + ms);
      return start + ms;
    }
    const faults = { ssd: 0, other: 0 };
    for (const t of required) {
      const { host, ssd, fresh } = link.ask(t, true);
      faults.ssd += ssd;
      faults.other += host + fresh;
    }
    const arrived = link.runUntilHere(start, required);
    const end = Math.max(arrived, start + ms + faultMs(setting, faults));
    link.run(arrived, end);
    return end;
  }

  function windowOf(k: number, ahead: number): Set<number> {
    const window = new Set<number>();
    for (let i = 0; i < ahead; i++) {
      for (const t of needs[(k + i) % flat.kernelCount] as readonly number[]) window.add(t);
    }
    return window;
  }
}

/** Pages that a kernel waits for. */
interface Faults {
  readonly ssd: number;
  /** On the host, or not there yet. */
  readonly other: number;
}

/** Time beyond the kernel's own that serving its faults takes: the SSD's beside the others. Note [Fault latency] in setting.ts. */
export function faultMs(setting: G10Setting, { ssd, other }: Faults): number {
  const { pageBytes, ssdGBps, linkGBps } = setting;
  const linkLeft = ssd > 0 ? linkGBps - ssdGBps : linkGBps;
  const ssdMs = (ssd * pageBytes) / (ssdGBps * 1e6);
  const otherMs = (other * pageBytes) / (linkLeft * 1e6);
  return Math.max(ssdMs, otherMs);
}

function requiredTensors({ kernelCount, inputs, outputs }: FlatGraph): number[][] {
  return Array.from({ length: kernelCount }, (_, k) => [
    ...new Set([
      ...inputs.items.subarray(inputs.start[k], inputs.start[k + 1]),
      ...outputs.items.subarray(outputs.start[k], outputs.start[k + 1]),
    ]),
  ]);
}
