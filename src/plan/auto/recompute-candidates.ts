/**
 * Prices for a joint planner: every stretch in which a tensor could be absent and be rebuilt instead of copied. The prices are
 * those of one drop alone in the plain schedule. Drops change each other's price (a chain that is rebuilt anyway is free, an
 * input that was dropped has to be rebuilt too): `Repricer` tells what one costs on top of a choice.
 */
import type { Graph, KernelIndex, TensorIndex } from "../../graph/graph.ts";
import { Lives } from "./recompute-lives.ts";
import { type Model, recomputeModel, rerunMs } from "./recompute-model.ts";
import type { Rerun } from "./rewrite.ts";

export interface RecomputeCandidate {
  readonly tensor: TensorIndex;
  readonly bytes: number;
  /** Last kernel that touches it before it is dropped, and the kernel before which it is rebuilt (its next reader). */
  readonly lastUse: KernelIndex;
  readonly before: KernelIndex;
  /** What to add to the choice: its own unit and, where inputs would be dead by then, the units that rebuild those. */
  readonly reruns: readonly Rerun[];
  /** Time of `reruns` alone, ms. */
  readonly ms: number;
  /** Sound lower bound on what closing this gap by recomputation costs in any plan, ms: its own unit's time. */
  readonly leastMs: number;
  /** Bytes freed over the gap, net of inputs that have to be kept longer; more than 0. */
  readonly freedBytes: number;
  readonly msPerByte: number;
  /** ms per byte and ms of absence (time of the kernels between `lastUse` and `before`). */
  readonly msPerByteMs: number;
}

/** A chain longer than this is no candidate. */
const MAX_CHAIN = 64;
/** An input that is dead by then is kept, rather than rebuilt, when it is smaller than this share of what is freed. */
const SMALL_SHARE = 0.05;

/** Ordered by `msPerByte`, least first; `"area"` orders by `msPerByteMs`. */
export function recomputeCandidates(model: Model, order: "bytes" | "area" = "bytes"): RecomputeCandidate[] {
  const lives = new Lives(model);
  const { outputs, units, bytes } = model;
  const endMs = new Float64Array(model.kernelCount + 1);
  model.ms.forEach((ms, k) => {
    endMs[k + 1] = endMs[k]! + ms;
  });
  const candidates: RecomputeCandidate[] = [];
  for (let unit = 0; unit < units.count; unit++) {
    for (let i = outputs.start[unit]!; i < outputs.start[unit + 1]!; i++) {
      const t = outputs.items[i]!;
      const stages = lives.stages[t]!;
      for (let at = 1; at < stages.length; at++) {
        const [lastUse, before] = [stages[at - 1]!, stages[at]!];
        if (bytes[t] === 0 || before - lastUse < 2 || before >= model.kernelCount || !lives.canAdd(unit, before))
          continue;
        const chain = chainOf(lives, unit, before, bytes[t]!);
        const freedBytes = bytes[t]! - (chain?.keptBytes ?? 0);
        if (chain === undefined || freedBytes <= 0) continue;
        const absenceMs = endMs[before]! - endMs[lastUse + 1]!;
        candidates.push({
          tensor: t,
          bytes: bytes[t]!,
          lastUse,
          before,
          reruns: chain.units.map((u) => ({ kernel: units.members[units.memberStart[u]!]!, before })),
          ms: chain.ms,
          leastMs: rerunMs(model, unit, before),
          freedBytes,
          msPerByte: chain.ms / freedBytes,
          msPerByteMs: absenceMs > 0 ? chain.ms / (freedBytes * absenceMs) : Number.POSITIVE_INFINITY,
        });
      }
    }
  }
  const rate = order === "bytes" ? "msPerByte" : "msPerByteMs";
  return candidates.sort((a, b) => a[rate] - b[rate] || a.tensor - b.tensor || a.before - b.before);
}

/** The units to re-run before `stage` so that `unit` has its inputs there, and the bytes of small inputs kept instead. */
function chainOf(
  lives: Lives,
  unit: number,
  stage: number,
  freed: number,
): { readonly units: readonly number[]; readonly ms: number; readonly keptBytes: number } | undefined {
  const { model } = lives;
  const chain = [unit];
  const kept = new Set<number>();
  let ms = 0;
  let keptBytes = 0;
  for (let c = 0; c < chain.length; c++) {
    const u = chain[c]!;
    ms += rerunMs(model, u, stage);
    for (let i = model.inputs.start[u]!; i < model.inputs.start[u + 1]!; i++) {
      const t = model.inputs.items[i]!;
      if (model.inputReader[i]! >= stage || kept.has(t)) continue;
      const at = lives.position(t, stage);
      const isThere = at < lives.stages[t]!.length && (lives.tags[t]![at]! & 1) === 0;
      const source = model.units.unitOf[model.units.firstWriter[t]!]!;
      if (isThere || chain.includes(source)) continue;
      if (model.bytes[t]! > SMALL_SHARE * freed && lives.canAdd(source, stage)) {
        chain.push(source);
      } else {
        kept.add(t);
        keptBytes += model.bytes[t]!;
      }
    }
    if (chain.length > MAX_CHAIN) return undefined;
  }
  return { units: chain, ms, keptBytes };
}

/** What re-runs cost and free on top of a choice, kept up to date as the choice changes. Stages are original kernels. */
export class Repricer {
  // Invariant: the lives are those of the choice so far, with memory followed.
  readonly #model: Model;
  readonly #lives: Lives;

  constructor(graph: Graph, choice: readonly Rerun[] = []) {
    this.#model = recomputeModel(graph);
    this.#lives = new Lives(this.#model);
    this.add(choice);
    this.#lives.follow();
  }

  get recomputeMs(): number {
    return this.#lives.recomputeMs;
  }

  /** Dry-run peak of the choice so far, weights and workspace included. */
  peakBytes(): number {
    return this.#lives.peakBytes();
  }

  /** Highest bytes while kernel k and the re-runs before it run, weights included. */
  bytesAt(k: KernelIndex): number {
    this.#lives.settle();
    return this.#lives.peaks.at(k) + this.#model.pinnedBytes;
  }

  /** Adds those re-runs that are new and allowed; returns them, to be given to `remove`. */
  add(reruns: readonly Rerun[]): Rerun[] {
    return reruns.filter(({ kernel, before }) => {
      const unit = this.#model.units.unitOf[kernel]!;
      if (!this.#lives.canAdd(unit, before)) return false;
      this.#lives.add(unit, before);
      return true;
    });
  }

  /** Removes re-runs of the choice. */
  remove(reruns: readonly Rerun[]): void {
    for (const { kernel, before } of reruns) this.#lives.remove(this.#model.units.unitOf[kernel]!, before);
  }

  /** Time that re-runs would add to the choice so far, and the change of the peak. */
  price(reruns: readonly Rerun[]): { readonly ms: number; readonly peakBytes: number } {
    const [ms, bytes] = [this.recomputeMs, this.peakBytes()];
    const added = this.add(reruns);
    const result = { ms: this.recomputeMs - ms, peakBytes: this.peakBytes() - bytes };
    this.remove(added);
    return result;
  }
}
