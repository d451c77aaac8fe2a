/** The two ways in which compression refuses: what was given cannot be used, or a file is not what it should be. */
import { VdnnError } from "../errors.ts";

/** `what` names the option; `rule` says what was expected, what was found and what to do. */
export function invalidOption(what: string, rule: string, details: Readonly<Record<string, unknown>> = {}): VdnnError {
  return new VdnnError("ERR_INVALID_OPTION", `${what}: ${rule}`, { option: what, ...details });
}

/** `source` names the file or the tensor that breaks the format. */
export function invalidModel(source: string, rule: string, cause?: unknown): VdnnError {
  return new VdnnError("ERR_INVALID_MODEL", `${source}: ${rule}`, { source }, cause === undefined ? {} : { cause });
}
