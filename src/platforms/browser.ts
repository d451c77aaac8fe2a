/**
 * vdnn in a browser, on the page's own thread or in a worker:
 * host memory in ordinary buffers, and a spill file in the origin's private file system.
 */
import { BROWSER_ADAPTERS } from "../backends/browser-adapters.ts";
import { HostPool } from "../memory/host-pool.ts";
import { HostVault } from "../memory/host-vault.ts";
import { ARRAY_SEGMENTS } from "../memory/segments.ts";
import type { Vault } from "../memory/vault.ts";
import { autoFrom } from "../plan/policies/auto-from.ts";
import type { Policy } from "../plan/policy.ts";
import type { TensorFlow } from "../runtime/engine.ts";
import { DEFAULT_POLICY, type VirtualizeOptions } from "../runtime/options.ts";
import type { Platform, VaultRequest } from "../runtime/platform.ts";
import type { Session } from "../runtime/session.ts";
import { virtualizeOn } from "../runtime/virtualize.ts";
import { refuseSecondEvaluation } from "./evaluation.ts";

refuseSecondEvaluation(import.meta.url);

const BROWSER: Platform = {
  adapters: BROWSER_ADAPTERS,
  temporaryDirectory: () => "vdnn",
  policyNamed,
  makeVault,
  makeTracer: async (options) => new (await import("../runtime/tracer.ts")).Tracer(options),
};

/**
 * Virtualizes the device memory of a TensorFlow.js instance. Training code runs unchanged until `session.dispose()`.
 *
 * @param tf the namespace object of `@tensorflow/tfjs` 4.22.0, with its backend set
 * @throws VdnnError `ERR_TFJS_VERSION`, `ERR_BACKEND`, `ERR_INVALID_OPTION`, `ERR_SESSION_ACTIVE`, `ERR_SPILL`, `ERR_PARITY`
 */
export function virtualize(tf: TensorFlow, options: VirtualizeOptions = {}): Promise<Session> {
  return virtualizeOn(BROWSER, tf, options);
}

/** Where copies run beside compute the default is there at once; the others, and what plans for copies that block, are loaded. */
async function policyNamed(name: string, copiesBlock: boolean): Promise<Policy> {
  if (name === DEFAULT_POLICY && !copiesBlock) return autoFrom({ planBlocking: null });
  return (await import("../plan/index.ts")).findPolicy(name);
}

/** The code of the spill tier is loaded when a page first asks for one. */
async function makeVault({ hostBytes, spillDirectory, spillBytes, awaits, now, onSpan }: VaultRequest): Promise<Vault> {
  const pool = new HostPool({ capacityBytes: hostBytes, segments: ARRAY_SEGMENTS });
  if (spillDirectory === null) return new HostVault(pool);
  const { openOriginVault } = await import("../memory/origin-vault.ts");
  return openOriginVault(pool, { directory: spillDirectory, maxBytes: spillBytes, now, onSpan }, awaits);
}
