/** Options of a session, validated once. */
import { VdnnError } from "../errors.ts";
import type { Policy } from "../plan/policy.ts";
import type { IterationResult } from "../report/result.ts";
import { MIB, parseBytes, type Size } from "../units.ts";

/** The part of a logger that a session calls; pino's has it. */
export interface SessionLogger {
  debug(record: object, message: string): void;
  warn(message: string): void;
}

export interface VirtualizeOptions {
  /** Hard budget for everything on the device, such as `"512MiB"`. Default: none. */
  readonly deviceMemory?: Size;
  /** Hard budget for offloaded data in host memory. Default: none; 256 MiB when there is a spill tier behind it. */
  readonly hostMemory?: Size;
  /**
   * Directory of the spill file, the tier behind host memory; `true` for the system's temporary directory. In a browser a directory
   * of the origin's private file system, made if it is missing; `true` for one named `vdnn`. Default: no spill.
   */
  readonly spill?: string | boolean;
  /** Most bytes in the spill file. Default: what the disk holds. */
  readonly spillMemory?: Size;
  /** `auto`, `none`, `liveness`, `vdnn-all`, `vdnn-conv`, `vdnn-dyn` or `checkpoint`. Default `auto`. */
  readonly policy?: string;
  /** Receives debug and warning records. Default: silent. */
  readonly logger?: SessionLogger;
  /** Record events for `session.trace()`, up to 250,000. Costs memory and about a microsecond per kernel. Default false. */
  readonly trace?: boolean;
  /** Record what `session.history()` returns, in bounded memory. Costs a few microseconds per kernel. Default false. */
  readonly history?: boolean;
  /** Compare two training steps of a toy model with stock TF.js when attaching to an engine for the first time. Default true. */
  readonly selfTest?: boolean;
  /** Test mode: offload everything that may leave after every kernel. Slow, and it finds what depends on luck. Default false. */
  readonly adversarial?: boolean;
  /**
   * Baseline mode on backends that cannot block: wait for each copy at once instead of letting it run beside compute. Default false.
   */
  readonly awaitEachCopy?: boolean;
  /** Called at the end of each training iteration. */
  readonly onIteration?: (result: IterationResult) => void;
  /** Clock in ms. Default `performance.now`. */
  readonly now?: () => number;
}

export interface SessionOptions {
  readonly deviceBytes: number;
  readonly hostBytes: number;
  readonly spillDirectory: string | null;
  readonly spillBytes: number;
  readonly policy: Policy;
  readonly logger: SessionLogger | null;
  readonly trace: boolean;
  readonly history: boolean;
  readonly selfTest: boolean;
  readonly adversarial: boolean;
  readonly awaitEachCopy: boolean;
  readonly onIteration: ((result: IterationResult) => void) | null;
  readonly now: () => number;
}

const DEFAULT_HOST_BYTES_WITH_SPILL = 256 * MIB;
export const DEFAULT_POLICY = "auto";

const KNOWN: ReadonlySet<string> = new Set([
  "deviceMemory",
  "hostMemory",
  "spill",
  "spillMemory",
  "policy",
  "logger",
  "trace",
  "history",
  "selfTest",
  "adversarial",
  "awaitEachCopy",
  "onIteration",
  "now",
]);

/**
 * @param platform where `spill: true` lies
 * @param policy the one that is named
 * @throws VdnnError `ERR_INVALID_OPTION` naming the option
 */
export function parseOptions(
  options: VirtualizeOptions,
  platform: { temporaryDirectory(): string },
  policy: Policy,
): SessionOptions {
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) {
      throw new VdnnError("ERR_INVALID_OPTION", `unknown option "${name}"; expected ${[...KNOWN].join(", ")}`, {
        option: name,
      });
    }
  }
  const { deviceMemory, hostMemory, spill = false, spillMemory } = options;
  const spillDirectory = spill === false ? null : spill === true ? platform.temporaryDirectory() : spill;
  return {
    deviceBytes: deviceMemory === undefined ? Number.POSITIVE_INFINITY : parseBytes(deviceMemory, "deviceMemory"),
    hostBytes:
      hostMemory !== undefined
        ? parseBytes(hostMemory, "hostMemory")
        : spillDirectory === null
          ? Number.POSITIVE_INFINITY
          : DEFAULT_HOST_BYTES_WITH_SPILL,
    spillDirectory,
    spillBytes: spillMemory === undefined ? Number.POSITIVE_INFINITY : parseBytes(spillMemory, "spillMemory"),
    policy,
    logger: options.logger ?? null,
    trace: options.trace ?? false,
    history: options.history ?? false,
    selfTest: options.selfTest ?? true,
    adversarial: options.adversarial ?? false,
    awaitEachCopy: options.awaitEachCopy ?? false,
    onIteration: options.onIteration ?? null,
    now: options.now ?? (() => performance.now()),
  };
}
