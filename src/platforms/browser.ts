/** vdnn in a browser, on the page's own thread or in a worker: no `node:` module, and nothing that needs a file system. */
import { BROWSER_ADAPTERS } from "../backends/browser-adapters.ts";
import { VdnnError } from "../errors.ts";
import { HostPool } from "../memory/host-pool.ts";
import { ARRAY_SEGMENTS } from "../memory/segments.ts";
import { Vault } from "../memory/vault.ts";
import type { TensorFlow } from "../runtime/engine.ts";
import type { VirtualizeOptions } from "../runtime/options.ts";
import type { Platform, VaultRequest } from "../runtime/platform.ts";
import type { Session } from "../runtime/session.ts";
import { virtualizeOn } from "../runtime/virtualize.ts";

const BROWSER: Platform = {
  adapters: BROWSER_ADAPTERS,
  temporaryDirectory: () => "vdnn",
  makeVault,
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

function makeVault({ hostBytes, spillDirectory, now }: VaultRequest): Vault {
  if (spillDirectory !== null) {
    throw new VdnnError("ERR_INVALID_OPTION", "spill: there is no spill tier in a browser; leave the option out", {
      option: "spill",
      got: spillDirectory,
    });
  }
  return new Vault({ pool: new HostPool({ capacityBytes: hostBytes, segments: ARRAY_SEGMENTS }), now });
}
