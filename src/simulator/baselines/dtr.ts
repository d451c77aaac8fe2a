/**
 * Dynamic Tensor Rematerialization (Kirisame et al., ICLR 2021) as its simulator runs it, for comparison: operators run as they come;
 * when memory is short, the value with the least h(v) = (c(v) + c(e*(v))) / (size * staleness) is evicted, and rebuilt when it is
 * asked for. e*(v) are the evicted values that v would have to be rebuilt from, and those that would have to be rebuilt
 * from v, each reached over evicted values alone; c is the time of a value's operator. A value is dropped when the program
 * lets go of it, and may be rebuilt for others.
 *
 * Source: `simrd/runtime/v2.py` (RuntimeV2EagerOptimized) and `simrd/heuristic/dtr.py` (DTR) of uwsampl/dtr-prototype (read, not copied:
 * it has no licence).
 */
import type { Graph } from "../../graph/graph.ts";
import type { Lists } from "../../plan/flat.ts";
import { type DtrProgram, dtrProgram } from "./dtr-program.ts";

export interface DtrRun {
  /** Null when memory ran out, or the limit on the time was passed. */
  readonly stepMs: number | null;
  readonly failure: "memory" | "time" | null;
  readonly evictions: number;
  readonly peakBytes: number;
}

export interface DtrOptions {
  readonly budgetBytes: number;
  /** Give up when an iteration takes this many times its own kernels' time. Default 2, as in the paper's experiments. */
  readonly timeLimit?: number;
}

export function simulateDtr(graph: Graph, { budgetBytes, timeLimit = 2 }: DtrOptions): DtrRun {
  const program = dtrProgram(graph);
  const oracleMs = program.operators.reduce((sum, { ms }) => sum + ms, 0);
  const runtime = new DtrRuntime(program, budgetBytes, oracleMs * timeLimit);
  let failure: DtrRun["failure"] = null;
  try {
    runtime.run();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    failure = error.reason;
  }
  const { clock, evictions, peakBytes } = runtime;
  return { stepMs: failure === null ? clock : null, failure, evictions, peakBytes };
}

class Stop extends Error {
  readonly reason: "memory" | "time";

  constructor(reason: "memory" | "time") {
    super(reason);
    this.reason = reason;
  }
}

/** Invariant: `used` is the bytes of all values that are there; `pool` holds those of them that are neither locked nor pinned. */
class DtrRuntime {
  clock = 0;
  evictions = 0;
  peakBytes = 0;
  readonly #program: DtrProgram;
  readonly #budget: number;
  readonly #limitMs: number;
  readonly #isHere: Uint8Array;
  /** Was made once: what never was is no neighbour. */
  readonly #isMade: Uint8Array;
  readonly #locks: Int32Array;
  readonly #lastAccess: Float64Array;
  /** c(e*(v)), NaN when it has to be found anew. */
  readonly #around: Float64Array;
  readonly #ownMs: Float64Array;
  readonly #up: Lists;
  readonly #down: Lists;
  /** Visited in the search whose number is the stamp. */
  readonly #seen: Int32Array;
  readonly #stack: Int32Array;
  #stamp = 0;
  readonly #pool = new Set<number>();
  #used = 0;

  constructor(program: DtrProgram, budget: number, limitMs: number) {
    const count = program.bytes.length;
    this.#program = program;
    this.#budget = budget;
    this.#limitMs = limitMs;
    this.#isHere = new Uint8Array(count);
    this.#isMade = new Uint8Array(count);
    this.#locks = new Int32Array(count);
    this.#lastAccess = new Float64Array(count);
    this.#around = new Float64Array(count).fill(Number.NaN);
    this.#ownMs = Float64Array.from(program.makers, (maker) => program.operators[maker]?.ms ?? 0);
    ({ up: this.#up, down: this.#down } = neighbours(program));
    this.#seen = new Int32Array(count);
    this.#stack = new Int32Array(count + 1);
    program.makers.forEach((maker, v) => {
      if (maker >= 0) return;
      this.#isHere[v] = this.#isMade[v] = 1;
      this.#locks[v] = 1;
      this.#used += program.bytes[v] as number;
    });
    this.peakBytes = this.#used;
  }

  run(): void {
    const { operators, results } = this.#program;
    operators.forEach(({ outputs, releases }, k) => {
      this.#execute(k);
      for (const v of outputs) this.#lastAccess[v] = this.clock;
      for (const v of releases) if (this.#isHere[v] === 1) this.#drop(v);
    });
    for (const v of results) {
      if (this.#isHere[v] === 0) this.#execute(this.#program.makers[v] as number);
      this.#lock(v);
    }
  }

  /** Runs an operator, and before it those of its inputs that are not there. */
  #execute(k: number): void {
    const { operators, makers, bytes } = this.#program;
    const operator = operators[k];
    if (operator === undefined) return;
    const { inputs, outputs, ms } = operator;
    const absent = inputs.filter((v) => this.#isHere[v] === 0);
    for (const v of inputs) {
      this.#lastAccess[v] = this.clock;
      if (this.#isHere[v] === 1) this.#lock(v);
    }
    for (const v of absent) {
      if (this.#isHere[v] === 0) this.#execute(makers[v] as number);
      this.#lock(v);
    }
    // An operator makes all of its outputs, also those that are there; they are freed at once.
    const need = outputs.reduce((sum, v) => sum + (bytes[v] as number), 0);
    while (this.#used + need > this.#budget) this.#evictOne();
    this.clock += ms;
    if (this.clock > this.#limitMs) throw new Stop("time");
    this.peakBytes = Math.max(this.peakBytes, this.#used + need);
    for (const v of outputs) {
      if (this.#isHere[v] === 1) continue;
      this.#isHere[v] = this.#isMade[v] = 1;
      this.#used += bytes[v] as number;
      this.#forget(v);
      this.#pool.add(v);
    }
    for (const v of inputs) this.#unlock(v);
  }

  #lock(v: number): void {
    this.#locks[v] = (this.#locks[v] as number) + 1;
    this.#pool.delete(v);
  }

  #unlock(v: number): void {
    const left = (this.#locks[v] as number) - 1;
    this.#locks[v] = left;
    if (left === 0) this.#pool.add(v);
  }

  #evictOne(): void {
    const { bytes } = this.#program;
    let [best, least] = [-1, Number.POSITIVE_INFINITY];
    for (const v of this.#pool) {
      const stale = (bytes[v] as number) * (this.clock - (this.#lastAccess[v] as number));
      const score = stale > 0 ? this.#cost(v) / stale : Number.POSITIVE_INFINITY;
      if (score <= least) [best, least] = [v, score];
    }
    if (best < 0) throw new Stop("memory");
    this.evictions++;
    this.#drop(best);
  }

  #drop(v: number): void {
    this.#isHere[v] = 0;
    this.#pool.delete(v);
    this.#used -= this.#program.bytes[v] as number;
    this.#forget(v);
  }

  #cost(v: number): number {
    const known = this.#around[v] as number;
    const around = Number.isNaN(known) ? this.#reach(v, this.#up) + this.#reach(v, this.#down) : known;
    this.#around[v] = around;
    return (this.#ownMs[v] as number) + around;
  }

  /** The values around v may change what they cost, as v went or came. */
  #forget(v: number): void {
    const around = this.#around;
    around[v] = Number.NaN;
    const forgetEdge = (u: number): void => void (around[u] = Number.NaN);
    this.#reach(v, this.#up, forgetEdge);
    this.#reach(v, this.#down, forgetEdge);
  }

  /** Sum of the times of what is evicted and reached from v over evicted values; calls for the values that are there at its edge. */
  #reach(v: number, { start, items }: Lists, atEdge?: (u: number) => void): number {
    const stamp = ++this.#stamp;
    const [seen, stack, isHere, isMade] = [this.#seen, this.#stack, this.#isHere, this.#isMade];
    seen[v] = stamp;
    stack[0] = v;
    let ms = 0;
    for (let depth = 1; depth > 0;) {
      const at = stack[--depth] as number;
      const end = start[at + 1] as number;
      for (let i = start[at] as number; i < end; i++) {
        const u = items[i] as number;
        if (seen[u] === stamp || isMade[u] === 0) continue;
        seen[u] = stamp;
        if (isHere[u] === 1) {
          atEdge?.(u);
        } else {
          ms += this.#ownMs[u] as number;
          stack[depth++] = u;
        }
      }
    }
    return ms;
  }
}

/** For each value, those that its operator reads (up), and those made by the operators that read it (down). */
function neighbours({ operators, makers, readers }: DtrProgram): { readonly up: Lists; readonly down: Lists } {
  return {
    up: listsOf(Array.from(makers, (maker) => operators[maker]?.inputs ?? [])),
    down: listsOf(readers.map((ks) => [...new Set(ks.flatMap((k) => operators[k]?.outputs ?? []))])),
  };
}

function listsOf(of: readonly (readonly number[])[]): Lists {
  const start = new Int32Array(of.length + 1);
  of.forEach((list, i) => (start[i + 1] = (start[i] as number) + list.length));
  return { start, items: Int32Array.from(of.flat()) };
}
