/**
 * The cheapest way to take enough bytes away from every kernel, where each byte in a gap has a price of its own and tensors may be
 * split: an interval covering problem. It is a flow of least cost, solved exactly by shortest paths with potentials.
 *
 *   needs     D0 D1 D2 D3      node i stands before kernel i of those that need something
 *   node    0→ 1→ 2→ 3→ 4      a gap over kernels i .. j-1 is an arc i → j: its bytes, at its ms per byte
 *           0← 1← 2← 3← 4      what is away beyond the need flows back for nothing
 *
 * Node i is supplied with D[i] - D[i-1]. Differences of potentials are prices of a byte at each kernel. By weak duality any prices
 * give a lower bound on what taking the bytes away costs, whether or not the tensors are split.
 */
import { Heap } from "./heap.ts";

export interface Interval {
  /** First kernel in which the bytes can be away, and the first after it in which they cannot. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly bytes: Float64Array;
  /** Cost of a byte, ms; Infinity where it cannot leave. */
  readonly rate: Float64Array;
}

export interface Cover {
  /** Bytes of each interval that are away in the cheapest solution. */
  readonly away: Float64Array;
  /** ms that one byte less at each kernel would save. */
  readonly price: Float64Array;
  /** No solution costs less, ms. */
  readonly boundMs: number;
}

const { POSITIVE_INFINITY } = Number;

/**
 * @param need bytes that must be away at each kernel; what is not positive is nothing
 * @returns null when all intervals together are not enough
 */
export function cheapestCover(need: Float64Array, intervals: Interval): Cover | null {
  const kernels: number[] = [];
  const before = new Int32Array(need.length + 1);
  for (let k = 0; k < need.length; k++) {
    before[k] = kernels.length;
    if ((need[k] as number) > 0) kernels.push(k);
  }
  before[need.length] = kernels.length;
  const flow = new Flow(kernels.length + 1);
  const arcs = new Int32Array(intervals.bytes.length).fill(-1);
  for (let i = 0; i < arcs.length; i++) {
    const [low, high] = [before[intervals.from[i] as number] as number, before[intervals.to[i] as number] as number];
    if (low >= high || !Number.isFinite(intervals.rate[i])) continue;
    arcs[i] = flow.arc(low, high, intervals.bytes[i] as number, intervals.rate[i] as number);
  }
  for (let i = 0; i < kernels.length; i++) flow.arc(i + 1, i, POSITIVE_INFINITY, 0);
  for (let i = 0, last = 0; i <= kernels.length; i++) {
    const next = i < kernels.length ? (need[kernels[i] as number] as number) : 0;
    flow.supply[i] = next - last;
    last = next;
  }
  if (!flow.solve()) return null;
  const price = new Float64Array(need.length);
  kernels.forEach(
    (k, i) => (price[k] = Math.max(0, (flow.potential[i + 1] as number) - (flow.potential[i] as number))),
  );
  const away = Float64Array.from(arcs, (arc) => (arc < 0 ? 0 : flow.sent(arc)));
  return { away, price, boundMs: dualBound(need, intervals, price) };
}

/** What the prices prove: bytes needed at their price, less what intervals that are worth more than they cost would earn. */
export function dualBound(need: Float64Array, { from, to, bytes, rate }: Interval, price: Float64Array): number {
  const sum = new Float64Array(price.length + 1);
  let bound = 0;
  for (let k = 0; k < price.length; k++) {
    sum[k + 1] = (sum[k] as number) + (price[k] as number);
    bound += (price[k] as number) * Math.max(0, need[k] as number);
  }
  for (let i = 0; i < bytes.length; i++) {
    const [low, high] = [from[i] as number, to[i] as number];
    if (low >= high) continue;
    const worth = (sum[high] as number) - (sum[low] as number) - (rate[i] as number);
    if (worth > 0) bound -= worth * (bytes[i] as number);
  }
  return Math.max(0, bound);
}

/** Invariant: potentials make every arc with room left cost no less than 0, and flow goes where it costs least so far. */
class Flow {
  readonly supply: Float64Array;
  readonly potential: Float64Array;
  readonly #head: number[] = [];
  readonly #tail: number[] = [];
  readonly #room: number[] = [];
  readonly #cost: number[] = [];
  readonly #leaving: number[][];

  constructor(nodes: number) {
    this.supply = new Float64Array(nodes);
    this.potential = new Float64Array(nodes);
    this.#leaving = Array.from({ length: nodes }, () => []);
  }

  /** Arcs come in pairs; the odd one takes back what the even one has sent. */
  arc(from: number, to: number, room: number, cost: number): number {
    const arc = this.#head.length;
    this.#head.push(to, from);
    this.#tail.push(from, to);
    this.#room.push(room, 0);
    this.#cost.push(cost, -cost);
    (this.#leaving[from] as number[]).push(arc);
    (this.#leaving[to] as number[]).push(arc + 1);
    return arc;
  }

  sent(arc: number): number {
    return this.#room[arc + 1] as number;
  }

  /** @returns false when some supply reaches no demand */
  solve(): boolean {
    const { supply, potential } = this;
    const distance = new Float64Array(supply.length).fill(POSITIVE_INFINITY);
    const via = new Int32Array(supply.length).fill(-1);
    const settled = new Uint8Array(supply.length);
    // A node is queued again when a shorter way to it is found; keys of what is queued must not change.
    const keys = new Float64Array(this.#head.length + 1);
    const queued = new Int32Array(this.#head.length + 1);
    const queue = new Heap(keys);
    for (let source = 0; source < supply.length; source++) {
      while ((supply[source] as number) > 0) {
        const seen = [source];
        let [entries, sink] = [1, -1];
        queue.clear();
        [distance[source], keys[0], queued[0]] = [0, 0, source];
        queue.push(0);
        while (queue.size > 0) {
          const u = queued[queue.pop()] as number;
          if (settled[u] === 1) continue;
          settled[u] = 1;
          if ((supply[u] as number) < 0) {
            sink = u;
            break;
          }
          for (const arc of this.#leaving[u] as number[]) {
            if ((this.#room[arc] as number) <= 0) continue;
            const v = this.#head[arc] as number;
            if (settled[v] === 1) continue;
            const reduced = (this.#cost[arc] as number) + (potential[u] as number) - (potential[v] as number);
            const next = (distance[u] as number) + Math.max(0, reduced);
            if (next >= (distance[v] as number)) continue;
            if (distance[v] === POSITIVE_INFINITY) seen.push(v);
            distance[v] = next;
            via[v] = arc;
            [keys[entries], queued[entries]] = [next, v];
            queue.push(entries++);
          }
        }
        if (sink < 0) return false;
        const reach = distance[sink] as number;
        let amount = Math.min(supply[source] as number, -(supply[sink] as number));
        for (let v = sink; v !== source; v = this.#tail[via[v] as number] as number) {
          amount = Math.min(amount, this.#room[via[v] as number] as number);
        }
        for (let v = sink; v !== source; v = this.#tail[via[v] as number] as number) {
          const arc = via[v] as number;
          this.#room[arc]! -= amount;
          this.#room[arc ^ 1]! += amount;
        }
        supply[source]! -= amount;
        supply[sink]! += amount;
        for (const v of seen) {
          if (settled[v] === 1) potential[v] = (potential[v] as number) + (distance[v] as number) - reach;
          distance[v] = POSITIVE_INFINITY;
          settled[v] = 0;
        }
      }
    }
    return true;
  }
}
