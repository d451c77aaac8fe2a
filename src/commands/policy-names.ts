/** Policies as the comparing commands name them: `stock` is the policy `none`, which is TensorFlow.js as it is. */
import { policies } from "../plan/policies/index.ts";
import { findByName } from "../simulator/names.ts";

export const STOCK = "stock";
/** What vDNN's paper allocates before training begins. It has no counterpart in a run of TensorFlow.js. */
export const NETWORK_WIDE = "network-wide";

const OWN: readonly string[] = policies.map(({ name }) => (name === "none" ? STOCK : name));

/** In the order in which tables list them. */
export const RUN_POLICIES: readonly string[] = OWN;
export const PLANNED_POLICIES: readonly string[] = OWN.flatMap((name) =>
  name === STOCK ? [STOCK, NETWORK_WIDE] : [name],
);

/**
 * The policies that were asked for, each once and in the tables' order; all of them where none was.
 *
 * @throws VdnnError `ERR_INVALID_OPTION` with the nearest names
 */
export function policiesNamed(asked: readonly string[] | undefined, known: readonly string[]): string[] {
  if (asked === undefined || asked.length === 0) return [...known];
  const items = known.map((name) => ({ name, title: name === STOCK ? "none" : name }));
  const found = new Set(asked.map((name) => findByName("policy", items, name).name));
  return known.filter((name) => found.has(name));
}

/** As `findPolicy` and a session know it. */
export function policyName(name: string): string {
  return name === STOCK ? "none" : name;
}

/** For commander: collects a flag that may be given several times, or with commas. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [
    ...before,
    ...text
      .split(",")
      .map((name) => name.trim())
      .filter(Boolean),
  ];
}
