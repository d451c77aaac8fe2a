/**
 * What a list of steps means in time: the one place that knows. `timeline` runs a finished list through it, the planner runs
 * the list it is making, so a prediction and a plan cannot disagree.
 *
 * Note [Execution model]
 * ~~~~~~~~~~~~~~~~~~~~~~
 * Steps are issued in list order. There are five lanes, each in order: compute, out (device to host), in (host to device),
 * spill-write and spill-read (host to spill and back).
 *
 *   compute      |f1|f2|f3|      |b3|b2|..
 *   out             |x1---|x2---|             may start after the writer, while later kernels still read
 *   in                        |x1---|         starts when issued, with room for it, and the copy out done
 *   spill-write            |x2----------|
 *   spill-read                             |x2----------|
 *
 * "Now" below is the end of the last computation before a step in the list; nothing starts before it.
 *
 * 1. Memory is granted in list order, tier by tier, without overtaking. An allocation of more than 0 bytes is granted at the
 *    earliest time when all grants before it in the list have been made, and what is granted minus what has been released by
 *    steps before it in the list leaves room. So a list is free of deadlock if and only if the dry run, in which every release
 *    happens at its step, stays within the budgets. What allocates nothing waits for nobody's grant.
 * 2. A kernel starts when its lane is free, its inputs' copies in have arrived, copies out of what it overwrites have ended
 *    and its grant (outputs not on the device, workspace) is made. Its workspace is released at its end.
 * 3. `offload t` starts at max(now, lane, grant of host bytes); it releases the device bytes at its end unless it keeps them.
 * 4. `prefetch t` starts at max(now, lane, end of the copy it reads, grant of device bytes).
 * 5. `free t` releases at max(now, end of t's running copies).
 * 6. Device, host and spill may each hold a copy of the same version of t. Copies on host and spill are valid, and counted, until
 *    a kernel that writes t ends, or the last prefetch of that version in the list has arrived. Where a valid copy is in the
 *    tier already, `offload t` moves no bytes: it is a `free`.
 * 7. `offload t` to spill of what is only on the device runs on the out lane, then on the spill-write lane, and holds host bytes
 *    from the start of the first to the end of the second. Where the host has a copy it is a demotion: spill-write lane alone,
 *    host bytes released at its end. `prefetch t` to the host leaves a second copy there. Plain `prefetch t` of what is in spill
 *    alone does both copies, one after the other, and holds host bytes from the start of the first to the end of the second.
 * 8. Where copies block, a copy between device and host occupies the compute lane as well: nothing is computed before its end.
 */
import type { KernelIndex, TensorIndex } from "../graph/graph.ts";
import type { FlatGraph } from "./flat.ts";
import type { Tier } from "./plan.ts";
import type { Machine } from "./policy.ts";
import { Pool } from "./pool.ts";

/** Bit of a tensor's `where` for each tier that holds the current version. */
export const ON_DEVICE = 1;
export const ON_HOST = 2;
export const ON_SPILL = 4;

/** Invariant: everything that is told so far has its final time; later steps cannot change it. */
export class Execution {
  readonly device: Pool;
  readonly host: Pool;
  readonly spill: Pool;
  readonly where: Uint8Array;
  /** When the compute lane is free: the end of the last computation. */
  computeMs = 0;
  outMs = 0;
  inMs = 0;
  writeMs = 0;
  readMs = 0;
  /** Time that the compute lane waited. */
  stallMs = 0;
  readonly #graph: FlatGraph;
  /** ms per byte of the four copy lanes. */
  readonly #outRate: number;
  readonly #inRate: number;
  readonly #writeRate: number;
  readonly #readRate: number;
  readonly #copiesBlock: boolean;
  readonly #deviceReady: Float64Array;
  readonly #hostReady: Float64Array;
  readonly #spillReady: Float64Array;
  /** When the last copy that reads the device, or the host, ends. */
  readonly #deviceBusy: Float64Array;

  constructor(graph: FlatGraph, machine: Machine) {
    this.#graph = graph;
    this.device = new Pool(machine.deviceBytes);
    this.host = new Pool(machine.hostBytes);
    this.spill = new Pool(machine.spillBytes ?? 0);
    this.#outRate = msPerByte(machine.offloadGBps);
    this.#inRate = msPerByte(machine.prefetchGBps);
    this.#writeRate = msPerByte(machine.spillWriteGBps ?? 0);
    this.#readRate = msPerByte(machine.spillReadGBps ?? 0);
    this.#copiesBlock = machine.copiesBlock ?? false;
    this.where = new Uint8Array(graph.tensorCount);
    this.#deviceReady = new Float64Array(graph.tensorCount);
    this.#hostReady = new Float64Array(graph.tensorCount);
    this.#spillReady = new Float64Array(graph.tensorCount);
    this.#deviceBusy = new Float64Array(graph.tensorCount);
  }

  /** End of the last thing that runs. */
  get endMs(): number {
    return Math.max(this.computeMs, this.outMs, this.inMs, this.writeMs, this.readMs);
  }

  /** Every budget was kept. */
  get fits(): boolean {
    return !this.device.isOverdrawn && !this.host.isOverdrawn && !this.spill.isOverdrawn;
  }

  /** A tensor that is there before the first step. */
  begin(t: TensorIndex, tier: "device" | Tier): void {
    const bytes = this.#graph.bytes[t] as number;
    this.where[t] = tier === "device" ? ON_DEVICE : tier === "host" ? ON_HOST : ON_SPILL;
    (tier === "device" ? this.device : tier === "host" ? this.host : this.spill).grant(bytes);
  }

  /** Device bytes that a kernel would be granted if it came next. */
  needBytes(k: KernelIndex): number {
    const { outputs, bytes, workspaceBytes } = this.#graph;
    let need = workspaceBytes[k] as number;
    for (let i = outputs.start[k] as number; i < (outputs.start[k + 1] as number); i++) {
      const t = outputs.items[i] as number;
      if (((this.where[t] as number) & ON_DEVICE) === 0) need += bytes[t] as number;
    }
    return need;
  }

  /** When a kernel's inputs are there and its lane is free, its memory aside. */
  inputsMs(k: KernelIndex): number {
    const { inputs, outputs } = this.#graph;
    let start = this.computeMs;
    for (let i = inputs.start[k] as number; i < (inputs.start[k + 1] as number); i++) {
      start = Math.max(start, this.#deviceReady[inputs.items[i] as number] as number);
    }
    for (let i = outputs.start[k] as number; i < (outputs.start[k + 1] as number); i++) {
      const t = outputs.items[i] as number;
      if (((this.where[t] as number) & ON_DEVICE) === 0) continue;
      start = Math.max(start, this.#deviceReady[t] as number, this.#deviceBusy[t] as number);
    }
    return start;
  }

  compute(k: KernelIndex): number {
    const { outputs, workspaceBytes, ms } = this.#graph;
    const start = Math.max(this.inputsMs(k), this.device.grant(this.needBytes(k)));
    this.stallMs += start - this.computeMs;
    this.computeMs = start + (ms[k] as number);
    this.device.releaseNow(workspaceBytes[k] as number);
    for (let i = outputs.start[k] as number; i < (outputs.start[k + 1] as number); i++) {
      const t = outputs.items[i] as number;
      this.#drop(t, ON_HOST, this.host, 0);
      this.#drop(t, ON_SPILL, this.spill, 0);
      this.where[t] = ON_DEVICE;
      this.#deviceReady[t] = 0;
      this.#deviceBusy[t] = 0;
    }
    return this.computeMs;
  }

  offload(t: TensorIndex, tier: Tier, keep: boolean): void {
    const bytes = this.#graph.bytes[t] as number;
    const where = this.where[t] as number;
    if (tier === "host") {
      if ((where & (ON_HOST | ON_DEVICE)) === ON_DEVICE) this.#copyOut(t, bytes);
    } else {
      const wasOnHost = (where & ON_HOST) !== 0;
      if ((where & ON_SPILL) === 0) {
        if (!wasOnHost) this.#copyOut(t, bytes);
        const start = Math.max(this.writeMs, this.computeMs, this.#hostReady[t] as number, this.spill.grant(bytes));
        this.writeMs = start + bytes * this.#writeRate;
        this.#spillReady[t] = this.writeMs;
        this.where[t]! |= ON_SPILL;
      }
      this.#drop(t, ON_HOST, this.host, Math.max(this.#hostReady[t] as number, this.#spillReady[t] as number));
    }
    if (!keep && (where & ON_DEVICE) !== 0) this.free(t);
  }

  /**
   * @param isLast no later prefetch in the list reads this version
   */
  prefetch(t: TensorIndex, tier: "device" | "host", isLast: boolean): number {
    const bytes = this.#graph.bytes[t] as number;
    const isTransit = ((this.where[t] as number) & ON_HOST) === 0;
    let ready = this.#hostReady[t] as number;
    if (isTransit) {
      const start = Math.max(this.readMs, this.computeMs, this.#spillReady[t] as number, this.host.grant(bytes));
      ready = this.readMs = start + bytes * this.#readRate;
    }
    if (tier === "host") {
      this.where[t]! |= ON_HOST;
      this.#hostReady[t] = ready;
      return ready;
    }
    const start = Math.max(this.inMs, this.computeMs, ready, this.device.grant(bytes));
    this.inMs = start + bytes * this.#inRate;
    if (this.#copiesBlock) this.#waitUntil(this.inMs);
    this.#deviceReady[t] = this.inMs;
    this.#deviceBusy[t] = 0;
    if (isTransit) this.host.releaseAt(this.inMs, bytes);
    if (isLast) {
      this.#drop(t, ON_HOST, this.host, this.inMs);
      this.#drop(t, ON_SPILL, this.spill, this.inMs);
    }
    this.where[t]! |= ON_DEVICE;
    return this.inMs;
  }

  free(t: TensorIndex): void {
    const where = this.where[t] as number;
    if ((where & ON_DEVICE) === 0) return;
    const bytes = this.#graph.bytes[t] as number;
    const ms = Math.max(this.#deviceReady[t] as number, this.#deviceBusy[t] as number);
    this.#release(this.device, ms, bytes);
    this.where[t] = where & ~ON_DEVICE;
    this.#deviceReady[t] = 0;
  }

  /** When the host's copy of a tensor is complete. */
  hostReadyMs(t: TensorIndex): number {
    return this.#hostReady[t] as number;
  }

  #copyOut(t: TensorIndex, bytes: number): void {
    const start = Math.max(this.outMs, this.computeMs, this.#deviceReady[t] as number, this.host.grant(bytes));
    this.outMs = start + bytes * this.#outRate;
    if (this.#copiesBlock) this.#waitUntil(this.outMs);
    this.#deviceBusy[t] = this.outMs;
    this.#hostReady[t] = this.outMs;
    this.where[t]! |= ON_HOST;
  }

  #waitUntil(ms: number): void {
    this.stallMs += ms - this.computeMs;
    this.computeMs = ms;
  }

  /** A copy in another tier than the device ends at `ms`, if there is one. */
  #drop(t: TensorIndex, bit: number, pool: Pool, ms: number): void {
    const where = this.where[t] as number;
    if ((where & bit) === 0) return;
    this.#release(pool, ms, this.#graph.bytes[t] as number);
    this.where[t] = where & ~bit;
  }

  #release(pool: Pool, ms: number, bytes: number): void {
    if (ms <= this.computeMs) pool.releaseNow(bytes);
    else pool.releaseAt(ms, bytes);
  }
}

/** Time that a copy takes, ms per byte; Infinity without bandwidth. */
export function msPerByte(gigabytesPerSecond: number): number {
  return gigabytesPerSecond > 0 ? 1 / (gigabytesPerSecond * 1e6) : Number.POSITIVE_INFINITY;
}
