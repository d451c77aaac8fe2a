/**
 * The second half of `validate`: a plan in time, by Note [Execution model], written a second time and for clarity. Every stay of
 * a tensor in a tier becomes an interval with all that touches it; when all times are known, the intervals are checked alone:
 *
 *   stay    |------------------------------|     bytes held from `from` to `to`: their sum keeps the budget at every instant
 *   access  |copy in| |kernel reads|  |copy out|     inside the stay, and never beside a write
 */
import type { Graph, TensorIndex } from "../graph/graph.ts";
import { formatBytes } from "../units.ts";
import type { PlanStep, Tier } from "./plan.ts";
import type { Machine } from "./policy.ts";

/** Says which step breaks which rule. */
export type Fail = (position: number, rule: string, details?: Readonly<Record<string, unknown>>) => never;

type Place = "device" | Tier;

interface Access {
  readonly step: number;
  readonly from: number;
  readonly to: number;
  readonly writes: boolean;
}

interface Stay {
  readonly place: Place;
  readonly bytes: number;
  readonly from: number;
  to: number;
  readonly accesses: Access[];
}

export function retime(
  graph: Graph,
  steps: readonly PlanStep[],
  machine: Machine,
  start: ReadonlyMap<TensorIndex, Place>,
  fail: Fail,
): { readonly stepMs: number; readonly stallMs: number } {
  const tiers = {
    device: tier(machine.deviceBytes),
    host: tier(machine.hostBytes),
    spill: tier(machine.spillBytes ?? 0),
  };
  const lanes = { compute: 0, out: 0, in: 0, write: 0, read: 0 };
  const gigabytesPerSecond = {
    out: machine.offloadGBps,
    in: machine.prefetchGBps,
    write: machine.spillWriteGBps ?? 0,
    read: machine.spillReadGBps ?? 0,
  };
  const open = {
    device: new Map<TensorIndex, Stay>(),
    host: new Map<TensorIndex, Stay>(),
    spill: new Map<TensorIndex, Stay>(),
  };
  const isReadAgain = readAgain(graph, steps);
  const stays: Stay[] = [];
  let stallMs = 0;

  const enter = (place: Place, t: TensorIndex, from: number): Stay => {
    const stay = { place, bytes: graph.tensors[t]?.bytes ?? 0, from, to: Number.POSITIVE_INFINITY, accesses: [] };
    open[place].set(t, stay);
    stays.push(stay);
    return stay;
  };
  /** The bytes are free once the last computation issued so far, and all that touches them, has ended. */
  const leave = (place: Place, t: TensorIndex, atLeast = lanes.compute): void => {
    const stay = open[place].get(t);
    if (stay === undefined) return;
    open[place].delete(t);
    stay.to = Math.max(atLeast, ...stay.accesses.map(({ to }) => to));
    tiers[place].release(stay.to, stay.bytes);
  };
  const lastWrite = (stay: Stay | undefined): number =>
    Math.max(0, ...(stay?.accesses.filter(({ writes }) => writes).map(({ to }) => to) ?? []));
  const lastAccess = (stay: Stay | undefined): number => Math.max(0, ...(stay?.accesses.map(({ to }) => to) ?? []));

  /** One copy on a lane: grant, start, both stays touched. */
  const copy = (step: number, lane: "out" | "in" | "write" | "read", t: TensorIndex, from: Place, to: Place): void => {
    const source = open[from].get(t);
    const bytes = graph.tensors[t]?.bytes ?? 0;
    if (gigabytesPerSecond[lane] <= 0 && bytes > 0) fail(step, `the machine has no bandwidth from ${from} to ${to}`);
    const begin = Math.max(lanes[lane], lanes.compute, lastWrite(source), tiers[to].grant(bytes));
    const end = begin + (bytes === 0 ? 0 : bytes / (gigabytesPerSecond[lane] * 1e6));
    lanes[lane] = end;
    if (machine.copiesBlock === true && (lane === "out" || lane === "in")) {
      stallMs += end - lanes.compute;
      lanes.compute = end;
    }
    source?.accesses.push({ step, from: begin, to: end, writes: false });
    enter(to, t, begin).accesses.push({ step, from: begin, to: end, writes: true });
  };

  for (const [t, place] of start) {
    tiers[place].grant(graph.tensors[t]?.bytes ?? 0);
    enter(place, t, 0);
  }
  steps.forEach((step, i) => {
    if (step.kind === "compute" || step.kind === "recompute") {
      const { inputs = [], outputs = [], workspaceBytes = 0, ms = 0 } = graph.kernels[step.kernel] ?? {};
      const fresh = outputs.filter((t) => !open.device.has(t));
      const bytes = fresh.reduce((sum, t) => sum + (graph.tensors[t]?.bytes ?? 0), workspaceBytes);
      const from = Math.max(
        lanes.compute,
        tiers.device.grant(bytes),
        ...inputs.map((t) => lastWrite(open.device.get(t))),
        ...outputs.map((t) => lastAccess(open.device.get(t))),
      );
      const to = from + ms;
      stallMs += from - lanes.compute;
      lanes.compute = to;
      tiers.device.release(to, workspaceBytes);
      stays.push({ place: "device", bytes: workspaceBytes, from, to, accesses: [] });
      for (const t of fresh) enter("device", t, from);
      for (const t of inputs) {
        if (!outputs.includes(t)) open.device.get(t)?.accesses.push({ step: i, from, to, writes: false });
      }
      for (const t of outputs) {
        open.device.get(t)?.accesses.push({ step: i, from, to, writes: true });
        leave("host", t);
        leave("spill", t);
      }
      return;
    }
    const t = step.tensor;
    if (step.kind === "offload") {
      if (step.tier === "host" && !open.host.has(t)) copy(i, "out", t, "device", "host");
      if (step.tier === "spill") {
        if (!open.spill.has(t)) {
          if (!open.host.has(t)) copy(i, "out", t, "device", "host");
          copy(i, "write", t, "host", "spill");
        }
        // Nothing computes with it: the host's bytes need not wait for the last computation.
        leave("host", t, 0);
      }
      if (step.keep !== true) leave("device", t);
    } else if (step.kind === "prefetch") {
      const passes = !open.host.has(t);
      if (passes) copy(i, "read", t, "spill", "host");
      if (step.tier === "host") return;
      copy(i, "in", t, "host", "device");
      const isLast = isReadAgain[i] !== true;
      if (passes || isLast) leave("host", t, 0);
      if (isLast) leave("spill", t, lanes.in);
    } else {
      leave("device", t);
    }
  });
  checkStays(stays, { device: machine.deviceBytes, host: machine.hostBytes, spill: machine.spillBytes ?? 0 }, fail);
  return { stepMs: Math.max(...Object.values(lanes)), stallMs };
}

/** Bytes of a tier: granted in order, each as soon as enough of what was released before it in the list has come free. */
function tier(budgetBytes: number): { grant: (bytes: number) => number; release: (ms: number, bytes: number) => void } {
  const pending: { readonly ms: number; readonly bytes: number }[] = [];
  let held = 0;
  let granted = 0;
  return {
    grant(bytes) {
      if (bytes === 0) return 0;
      while (held + bytes > budgetBytes && pending.length > 0) {
        const { ms, bytes: freed } = pending.shift() as (typeof pending)[number];
        granted = Math.max(granted, ms);
        held -= freed;
      }
      held += bytes;
      return granted;
    },
    release(ms, bytes) {
      const at = pending.findIndex((other) => other.ms > ms);
      pending.splice(at < 0 ? pending.length : at, 0, { ms, bytes });
    },
  };
}

function checkStays(stays: readonly Stay[], budgets: Readonly<Record<Place, number>>, fail: Fail): void {
  for (const place of ["device", "host", "spill"] as const) {
    const changes = stays
      .filter((stay) => stay.place === place && stay.bytes > 0 && stay.from < stay.to)
      .flatMap(({ from, to, bytes }) => [
        { ms: from, bytes },
        { ms: to, bytes: -bytes },
      ]);
    let held = 0;
    // Bytes that go and come at one instant: first they go.
    for (const { ms, bytes } of changes.toSorted((a, b) => a.ms - b.ms || a.bytes - b.bytes)) {
      held += bytes;
      if (held > budgets[place])
        fail(-1, `${formatBytes(held)} are held on the ${place} at ${ms} ms`, { tier: place, neededBytes: held });
    }
  }
  for (const { place, from, to, accesses } of stays) {
    for (const [i, a] of accesses.entries()) {
      if (a.from < from || a.to > to) fail(a.step, `it touches memory on the ${place} that it does not hold`);
      for (const b of accesses.slice(0, i)) {
        const isRace = (a.writes || b.writes) && a.from < b.to && b.from < a.to;
        if (isRace) fail(a.step, `it touches memory on the ${place} while step ${b.step} writes it or still reads it`);
      }
    }
  }
}

/** For each step, whether a later prefetch reads the same version, or a later offload finds it there and moves nothing. */
export function readAgain(graph: Graph, steps: readonly PlanStep[]): boolean[] {
  const wanted = new Set<TensorIndex>();
  return steps
    .toReversed()
    .map((step) => {
      if (!("tensor" in step)) {
        for (const t of graph.kernels[step.kernel]?.outputs ?? []) wanted.delete(t);
        return false;
      }
      const isWanted = wanted.has(step.tensor);
      if (step.kind !== "free") wanted.add(step.tensor);
      return isWanted;
    })
    .toReversed();
}
