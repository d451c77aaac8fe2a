/** The two ways in which EIE refuses: an option or a layer that the machine cannot take, or a file that breaks its layout. */
import { VdnnError } from "../../errors.ts";

/** `what` names the option or the layer; `rule` says what was expected, what was found and what to do. */
export function invalidEie(what: string, rule: string, details: Readonly<Record<string, unknown>> = {}): VdnnError {
  return new VdnnError("ERR_INVALID_OPTION", `${what}: ${rule}`, { option: what, ...details });
}

/** `file` is the path of what is missing, truncated or corrupt. */
export function invalidFile(file: string, rule: string, cause?: unknown): VdnnError {
  return new VdnnError("ERR_INVALID_MODEL", `${file}: ${rule}`, { file }, cause === undefined ? {} : { cause });
}
