/**
 * What differs between Node.js and a browser, behind one interface: the backends there are, what host memory is made of, and where
 * the spill tier lies. A platform is handed to `virtualize`; nothing in the runtime asks where it runs.
 */
import type { DeviceAdapter } from "../backends/adapter.ts";
import type { Adapters } from "../backends/index.ts";
import type { CopySpan } from "../memory/copy.ts";
import type { Vault } from "../memory/vault.ts";
import type { Policy } from "../plan/policy.ts";
import type { SessionOptions } from "./options.ts";
import type { Tracer, TracerOptions } from "./tracer.ts";

export interface VaultRequest extends Pick<SessionOptions, "hostBytes" | "spillDirectory" | "spillBytes" | "now"> {
  /** The backend cannot block, so whoever needs bytes from the spill tier awaits them. */
  readonly awaits: boolean;
  /** Called for each copy between host memory and the spill tier. */
  readonly onSpan: (span: CopySpan) => void;
}

export interface Platform {
  readonly adapters: Adapters<DeviceAdapter | Promise<DeviceAdapter>>;
  /** Name of the directory that `spill: true` stands for. */
  temporaryDirectory(): string;
  /**
   * @param copiesBlock whether it will plan for copies that block
   * @throws VdnnError `ERR_INVALID_OPTION` naming the policies there are
   */
  policyNamed(name: string, copiesBlock: boolean): Policy | Promise<Policy>;
  /** @throws VdnnError `ERR_SPILL`, `ERR_INVALID_OPTION` when there cannot be such a spill tier */
  makeVault(request: VaultRequest): Vault | Promise<Vault>;
  makeTracer(options: TracerOptions): Tracer | Promise<Tracer>;
}

/** A platform on which a session can be made without waiting. */
export interface BlockingPlatform extends Platform {
  readonly adapters: Adapters;
  policyNamed(name: string, copiesBlock: boolean): Policy;
  makeVault(request: VaultRequest): Vault;
  makeTracer(options: TracerOptions): Tracer;
}
