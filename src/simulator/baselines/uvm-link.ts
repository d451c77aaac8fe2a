/**
 * The device's link under unified memory, batch by batch: queues of pages that kernels wait for and of pages fetched ahead, and
 * what is evicted to make room for them. Order of service as in the artifact: faults on the SSD, on the host, new pages; then the
 * same for what is fetched ahead.
 */
import type { Pages } from "./pages.ts";
import type { G10Setting } from "./setting.ts";

export type UvmPolicy = "lru" | "deepUM";

type Source = "ssd" | "host" | "fresh";

const SOURCES: readonly Source[] = ["ssd", "host", "fresh"];

/** The artifact's batches that are served at once. */
const COARSENING = 4;

class Queue {
  readonly #tensors: number[] = [];
  readonly #pages: number[] = [];
  #head = 0;

  get isEmpty(): boolean {
    return this.#head === this.#tensors.length;
  }

  get tensor(): number {
    return this.#tensors[this.#head] as number;
  }

  get pages(): number {
    return this.#pages[this.#head] as number;
  }

  push(t: number, pages: number): void {
    if (pages <= 0) return;
    const last = this.#tensors.length - 1;
    if (last >= this.#head && this.#tensors[last] === t) {
      this.#pages[last] = (this.#pages[last] as number) + pages;
      return;
    }
    this.#tensors.push(t);
    this.#pages.push(pages);
  }

  take(pages: number): void {
    const left = this.pages - pages;
    this.#pages[this.#head] = left;
    if (left > 0) return;
    this.#head++;
    if (this.isEmpty) {
      this.#tensors.length = 0;
      this.#pages.length = 0;
      this.#head = 0;
    }
  }
}

type Queues = Readonly<Record<Source, Queue>>;

/** Invariant: every page in a queue is counted as asked for in `Pages`, at the place where it is. */
export class UvmLink {
  readonly #pages: Pages;
  readonly #policy: UvmPolicy;
  readonly #spans: readonly (readonly [number, number])[];
  readonly #batchPages: number;
  readonly #ssdPages: number;
  readonly #batchMs: number;
  readonly #faults: Queues = { ssd: new Queue(), host: new Queue(), fresh: new Queue() };
  readonly #ahead: Queues = { ssd: new Queue(), host: new Queue(), fresh: new Queue() };
  readonly #isRequired: Uint8Array;
  #required: readonly number[] = [];
  #window: ReadonlySet<number> = new Set();
  #kernel = 0;
  /** When the next batch may start. */
  #nextMs = 0;
  /** Pages left in this batch. */
  #inLeft = 0;
  #inSsdLeft = 0;
  #outLeft = 0;
  #outSsdLeft = 0;
  #moved = 0;
  readonly #traffic = [0, 0, 0, 0];

  constructor(pages: Pages, setting: G10Setting, policy: UvmPolicy, spans: readonly (readonly [number, number])[]) {
    this.#pages = pages;
    this.#policy = policy;
    this.#spans = spans;
    this.#batchPages = setting.batchPages * COARSENING;
    this.#ssdPages = setting.ssdBatchPages * COARSENING;
    this.#batchMs = (this.#batchPages * setting.pageBytes) / (setting.linkGBps * 1e6);
    this.#isRequired = new Uint8Array(pages.size.length);
  }

  /** Pages so far: from the host, to the host, from the SSD, to the SSD. */
  traffic(): readonly number[] {
    return [...this.#traffic];
  }

  beginKernel(k: number, required: readonly number[], window: ReadonlySet<number>): void {
    for (const t of this.#required) this.#isRequired[t] = 0;
    for (const t of required) this.#isRequired[t] = 1;
    this.#required = required;
    this.#window = window;
    this.#kernel = k;
    this.#pages.resetCursor();
  }

  /** Asks for the pages of t that are away and not asked for yet; returns them by place. */
  ask(t: number, isFault: boolean): { readonly host: number; readonly ssd: number; readonly fresh: number } {
    const missing = this.#pages.missing(t);
    const queues = isFault ? this.#faults : this.#ahead;
    for (const source of SOURCES) {
      queues[source].push(t, missing[source]);
      this.#count(source, t, missing[source]);
    }
    return missing;
  }

  /** Serves batches that start before `endMs`. */
  run(fromMs: number, endMs: number): void {
    this.#nextMs = Math.max(this.#nextMs, fromMs);
    while (this.#nextMs < endMs && this.#hasWork()) {
      this.#serve(false);
      this.#nextMs += this.#batchMs;
    }
  }

  /** Serves batches until the tensors are there; returns when. */
  runUntilHere(fromMs: number, required: readonly number[]): number {
    this.#nextMs = Math.max(this.#nextMs, fromMs);
    while (!required.every((t) => this.#pages.isHere(t))) {
      this.#serve(true);
      this.#nextMs += this.#batchMs;
    }
    return this.#nextMs;
  }

  #hasWork(): boolean {
    return SOURCES.some((source) => !this.#faults[source].isEmpty || !this.#ahead[source].isEmpty);
  }

  #serve(isWaiting: boolean): void {
    this.#inLeft = this.#outLeft = this.#batchPages;
    this.#inSsdLeft = this.#outSsdLeft = this.#ssdPages;
    this.#moved = 0;
    for (const source of SOURCES) this.#drain(this.#faults[source], source, true);
    for (const source of SOURCES) this.#drain(this.#ahead[source], source, false);
    // A kernel waits for what is asked for ahead, and there is nothing to evict for that: treated as a fault.
    if (!isWaiting || this.#moved > 0) return;
    for (const source of SOURCES) this.#drain(this.#ahead[source], source, true);
  }

  #drain(queue: Queue, source: Source, isFault: boolean): void {
    const pages = this.#pages;
    while (!queue.isEmpty) {
      const t = queue.tensor;
      let n = queue.pages;
      if (source !== "fresh") n = Math.min(n, this.#inLeft);
      if (source === "ssd") n = Math.min(n, this.#inSsdLeft);
      if (n > 0)
        n =
          pages.deviceFree > 0
            ? Math.min(n, pages.deviceFree)
            : this.#evict(n, source, isFault || this.#isRequired[t] === 1);
      if (n <= 0) return;
      queue.take(n);
      this.#count(source, t, -n);
      if (source === "ssd") pages.ssd[t] = (pages.ssd[t] as number) - n;
      if (source === "host") {
        pages.host[t] = (pages.host[t] as number) - n;
        pages.hostFree += n;
      }
      pages.arrive(t, n);
      this.#moved += n;
      if (source === "fresh") continue;
      this.#inLeft -= n;
      if (source === "ssd") this.#inSsdLeft -= n;
      this.#log(source === "host" ? 0 : 2, n);
    }
  }

  /** Makes room for up to n pages; returns for how many. */
  #evict(n: number, source: Source, isFault: boolean): number {
    const pages = this.#pages;
    const node = this.#policy === "lru" || isFault ? pages.oldest : pages.seek((t) => !this.#window.has(t));
    if (node < 0) return 0;
    const victim = pages.tensorOf(node);
    let count = Math.min(n, pages.pagesOf(node));
    const [first, last] = this.#spans[victim] as readonly [number, number];
    const isDead = this.#kernel < first || this.#kernel > last;
    if (this.#policy === "deepUM" && isDead) {
      pages.leave(node, count);
      return count;
    }
    count = Math.min(count, this.#outLeft);
    // A page that comes from the host leaves room there for the one that goes.
    const toHost = source === "host" || pages.hostFree > 0;
    if (toHost && source !== "host") count = Math.min(count, pages.hostFree);
    if (!toHost) count = Math.min(count, this.#outSsdLeft);
    if (count <= 0) return 0;
    pages.leave(node, count);
    this.#outLeft -= count;
    if (toHost) {
      pages.host[victim] = (pages.host[victim] as number) + count;
      pages.hostFree -= count;
    } else {
      pages.ssd[victim] = (pages.ssd[victim] as number) + count;
      this.#outSsdLeft -= count;
    }
    this.#log(toHost ? 1 : 3, count);
    if (this.#isRequired[victim] === 1) {
      const back = toHost ? "host" : "ssd";
      this.#faults[back].push(victim, count);
      this.#count(back, victim, count);
    }
    return count;
  }

  #count(source: Source, t: number, pages: number): void {
    const { askedHost, askedSsd, askedNew } = this.#pages;
    const asked = source === "host" ? askedHost : source === "ssd" ? askedSsd : askedNew;
    asked[t] = (asked[t] as number) + pages;
  }

  #log(lane: number, pages: number): void {
    this.#traffic[lane] = (this.#traffic[lane] as number) + pages;
  }
}
