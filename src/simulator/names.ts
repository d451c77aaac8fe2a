/** Finding things by the names that people type, and what they may have meant where there is no such thing. */
import { VdnnError } from "../errors.ts";

/** How far a name may be from what was typed to be suggested, as a share of the longer of both. The nearest always is. */
const SUGGESTION_DISTANCE = 0.5;
const SUGGESTIONS = 3;

/** Lower case without separators: `Titan X`, `titan_x` and `titan-x` are one name. */
export function canonical(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_./-]+/g, "");
}

export interface Named {
  readonly name: string;
  /** The name in full, which finds it too. */
  readonly title?: string;
}

/** @throws VdnnError `ERR_INVALID_OPTION` with the nearest names */
export function findByName<Item extends Named>(option: string, items: readonly Item[], got: string): Item {
  const typed = canonical(got);
  const found = items.find(({ name, title = name }) => canonical(name) === typed || canonical(title) === typed);
  if (found === undefined) throw unknownName(option, items, got);
  return found;
}

/** The error for a name that is none of `known`. */
export function unknownName(option: string, known: readonly Named[], got: string): VdnnError {
  const nearest = nearestNames(known, got);
  const names = known.map(({ name }) => name);
  return new VdnnError(
    "ERR_INVALID_OPTION",
    `unknown ${option} ${JSON.stringify(got)}; did you mean ${nearest.join(" or ")}? Known are ${names.join(", ")}`,
    { option, got, known: names, nearest },
  );
}

export function nearestNames(known: readonly Named[], got: string): string[] {
  const typed = canonical(got);
  const distance = (name: string): number =>
    editDistance(canonical(name), typed) / Math.max(canonical(name).length, typed.length, 1);
  return known
    .map(({ name, title = name }) => ({ name, distance: Math.min(distance(name), distance(title)) }))
    .toSorted((a, b) => a.distance - b.distance)
    .filter((each, i) => i === 0 || each.distance <= SUGGESTION_DISTANCE)
    .slice(0, SUGGESTIONS)
    .map(({ name }) => name);
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
