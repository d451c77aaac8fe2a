/** The ways in which a training case runs under vdnn. */
import { policies } from "../../src/plan/policies/index.ts";
import type { VirtualizeOptions } from "../../src/runtime/options.ts";

export interface Mode {
  readonly name: string;
  readonly options: VirtualizeOptions;
  /** Too slow for the large networks, whose kernels the smaller ones have too. */
  readonly smallOnly?: boolean;
  /** Device budget as a multiple of the whole session's peak under vdnn-all, so that much has to leave. */
  readonly timesVdnnAll?: number;
}

export const MODES: readonly Mode[] = [
  // Without a budget `auto` is `liveness`: it is tried with one.
  ...policies.filter(({ name }) => name !== "auto").map(({ name }) => ({ name, options: { policy: name } })),
  { name: "auto with a tenth more than vdnn-all needs", options: { policy: "auto" }, timesVdnnAll: 1.1 },
  { name: "offloading everything after each kernel", options: { policy: "vdnn-all", adversarial: true } },
  {
    name: "offloading everything after each kernel through a small host pool to disk",
    options: { policy: "vdnn-dyn", adversarial: true, hostMemory: "4MiB", spill: true },
    smallOnly: true,
  },
];
