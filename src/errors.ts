/**
 * Every error that vdnn raises on purpose. One base class with a stable code and machine-readable details; the message says
 * what was expected, what was found and what to do about it.
 */

export type ErrorCode =
  /** An option or flag has a value that cannot be used. */
  | "ERR_INVALID_OPTION"
  /** The device budget cannot hold what one kernel needs, and nothing more can leave. */
  | "ERR_OUT_OF_MEMORY"
  /** The host budget is full and there is no spill tier behind it. */
  | "ERR_HOST_MEMORY"
  /** The spill file cannot be created, grown, written or read. */
  | "ERR_SPILL"
  /** The TensorFlow.js at hand is not the version that vdnn knows from the inside. */
  | "ERR_TFJS_VERSION"
  /** `vdnn run` found no loaded module that exports the TensorFlow.js that the script trains with. */
  | "ERR_TFJS_NOT_FOUND"
  /** The backend is not present, not supported, or failed to start. */
  | "ERR_BACKEND"
  /** A session is already attached to this engine. */
  | "ERR_SESSION_ACTIVE"
  /** Training under vdnn did not give the numbers of stock TensorFlow.js in the self-test at attach time. */
  | "ERR_PARITY"
  /** A tensor whose data was dropped was read after its recipe had expired. */
  | "ERR_DATA_DROPPED"
  /** A graph or plan file, or a value of that type, breaks the format. */
  | "ERR_INVALID_GRAPH"
  | "ERR_INVALID_PLAN"
  /** A model file, a compressed model, or weights break the format. */
  | "ERR_INVALID_MODEL"
  /** A data set, such as a pair of IDX files, breaks the format. */
  | "ERR_INVALID_DATA"
  /** The simulator has no model for a layer of this kind. */
  | "ERR_UNSUPPORTED_LAYER"
  /** A stream that only promises can drive was asked to block, or a closed stream was used. */
  | "ERR_STREAM";

/** Base class of all errors of vdnn. `details` carries the numbers that the message prints. */
export class VdnnError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = "VdnnError";
    this.code = code;
    this.details = details;
  }
}

/** It is one of vdnn's own errors, with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is VdnnError {
  return error instanceof VdnnError && error.code === code;
}
