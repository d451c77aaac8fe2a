/** vdnn in Node.js: every backend, host memory that threads share, a spill file behind two threads. */
import { tmpdir } from "node:os";
import { NODE_ADAPTERS } from "../backends/node-adapters.ts";
import { HostPool } from "../memory/host-pool.ts";
import { HostVault } from "../memory/host-vault.ts";
import { SHARED_SEGMENTS } from "../memory/shared-segments.ts";
import { SpillFile } from "../memory/spill-file.ts";
import { SpillVault } from "../memory/spill-vault.ts";
import type { Vault } from "../memory/vault.ts";
import { WorkerStream } from "../memory/worker-stream.ts";
import { findPolicy } from "../plan/policies/index.ts";
import type { TensorFlow } from "../runtime/engine.ts";
import type { VirtualizeOptions } from "../runtime/options.ts";
import type { BlockingPlatform, VaultRequest } from "../runtime/platform.ts";
import type { Session } from "../runtime/session.ts";
import { Tracer } from "../runtime/tracer.ts";
import { attachOn, virtualizeOn } from "../runtime/virtualize.ts";

export const NODE: BlockingPlatform = {
  adapters: NODE_ADAPTERS,
  temporaryDirectory: tmpdir,
  policyNamed: findPolicy,
  makeVault,
  makeTracer: (options) => new Tracer(options),
};

/**
 * Virtualizes the device memory of a TensorFlow.js instance. Training code runs unchanged until `session.dispose()`.
 *
 * @param tf the namespace object: `@tensorflow/tfjs`, `tfjs-node` or `tfjs-node-gpu`, 4.22.0, with its backend set
 * @throws VdnnError `ERR_TFJS_VERSION`, `ERR_BACKEND`, `ERR_INVALID_OPTION`, `ERR_SESSION_ACTIVE`, `ERR_SPILL`, `ERR_PARITY`
 */
export function virtualize(tf: TensorFlow, options: VirtualizeOptions = {}): Promise<Session> {
  return virtualizeOn(NODE, tf, options);
}

/** `virtualize` for callers that cannot await; the backend must be ready, and one that blocks. */
export function attach(tf: TensorFlow, options: VirtualizeOptions = {}): Session {
  return attachOn(NODE, tf, options);
}

function makeVault({ hostBytes, spillDirectory, spillBytes, now, onSpan }: VaultRequest): Vault {
  const pool = new HostPool({ capacityBytes: hostBytes, segments: SHARED_SEGMENTS });
  if (spillDirectory === null) return new HostVault(pool);
  const spill = SpillFile.create({ directory: spillDirectory, maxBytes: spillBytes });
  const stream = (name: string): WorkerStream => new WorkerStream({ name, file: spill, onSpan });
  return new SpillVault({
    pool,
    spill,
    offloadStream: stream("offload"),
    prefetchStream: stream("prefetch"),
    now,
  });
}
