/** `--budgets 15%,50%,2GiB`: device budgets as sizes, or as shares of a baseline's peak that is known only later. */
import { VdnnError } from "../errors.ts";
import { parseBytes } from "../units.ts";

export interface AskedBudget {
  readonly text: string;
  /** One of both: bytes, or a share of the reference, which may be more than 1. */
  readonly bytes?: number;
  readonly share?: number;
}

/** @throws VdnnError `ERR_INVALID_OPTION` for what is neither a size nor a percentage, or nothing */
export function parseBudgets(text: string): AskedBudget[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts.map((part) => {
    const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(part)?.[1];
    if (percent === undefined) return { text: part, bytes: parseBytes(part, "budgets") };
    const share = Number(percent) / 100;
    if (share > 0 && Number.isFinite(share)) return { text: part, share };
    throw new VdnnError("ERR_INVALID_OPTION", `budgets: expected more than 0%, got ${JSON.stringify(part)}`, {
      option: "budgets",
      got: part,
    });
  });
}

export interface Budget {
  readonly text: string;
  readonly deviceBytes: number;
}

/** In ascending order, each size once. */
export function resolveBudgets(asked: readonly AskedBudget[], referenceBytes: number): Budget[] {
  const all = asked.map(({ text, bytes, share = 1 }) => ({
    text,
    // A share of a few bytes is still a budget.
    deviceBytes: bytes ?? Math.max(1, Math.floor(referenceBytes * share)),
  }));
  const sorted = all.toSorted((a, b) => a.deviceBytes - b.deviceBytes);
  return sorted.filter(({ deviceBytes }, i) => deviceBytes !== sorted[i - 1]?.deviceBytes);
}
