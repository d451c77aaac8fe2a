/**
 * What `vdnn/register` is told: by `vdnn run` in one variable of the child's environment, else by the VDNN_* variables that are
 * documented for users. Checked here, before the script starts.
 */
import { resolve } from "node:path";
import { VdnnError } from "../errors.ts";
import { isLogLevel, LOG_LEVELS, type LogLevel } from "../logger.ts";
import { NODE } from "../platforms/node.ts";
import { DEFAULT_POLICY, parseOptions, type VirtualizeOptions } from "../runtime/options.ts";

/** The options of a session that fit into JSON. */
export type SessionSettings = Pick<
  VirtualizeOptions,
  "deviceMemory" | "hostMemory" | "spill" | "spillMemory" | "policy" | "selfTest"
>;

export interface RegisterSettings {
  readonly session: SessionSettings;
  readonly logLevel: LogLevel;
  /** No summary at the end. */
  readonly quiet: boolean;
  /** Files to write at the end, as absolute paths: the script may change its working directory. */
  readonly files: { readonly report?: string; readonly trace?: string; readonly record?: string };
  /** Modules that were preloaded for vdnn alone. Taken out of `process.execArgv`, so that processes the script forks do without. */
  readonly preloaded: readonly string[];
}

/** Set by `vdnn run` for its child, and removed when it was read. */
export const RUN_VARIABLE = "VDNN_RUN_SETTINGS";

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws VdnnError `ERR_INVALID_OPTION` naming the variable */
export function readSettings(environment: Environment): RegisterSettings {
  const given = environment[RUN_VARIABLE];
  return given === undefined ? fromVariables(environment) : (JSON.parse(given) as RegisterSettings);
}

function fromVariables(environment: Environment): RegisterSettings {
  const value = (name: string): string | undefined => (environment[name] === "" ? undefined : environment[name]);
  const entries = {
    deviceMemory: value("VDNN_DEVICE_MEMORY"),
    hostMemory: value("VDNN_HOST_MEMORY"),
    spill: spillOf(value("VDNN_SPILL")),
    spillMemory: value("VDNN_SPILL_MEMORY"),
    policy: value("VDNN_POLICY"),
  };
  const session = Object.fromEntries(Object.entries(entries).filter(([, entry]) => entry !== undefined));
  parseOptions(session, NODE, NODE.policyNamed(entries.policy ?? DEFAULT_POLICY, true));
  const logLevel = value("VDNN_LOG_LEVEL") ?? "silent";
  if (!isLogLevel(logLevel)) {
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `VDNN_LOG_LEVEL: expected one of ${LOG_LEVELS.join(", ")}, got "${logLevel}"`,
      { option: "VDNN_LOG_LEVEL", got: logLevel },
    );
  }
  const files = { report: value("VDNN_REPORT"), trace: value("VDNN_TRACE"), record: value("VDNN_RECORD") };
  return {
    session,
    logLevel,
    quiet: isOn(value("VDNN_QUIET")),
    files: Object.fromEntries(
      Object.entries(files).flatMap(([name, path]) => (path === undefined ? [] : [[name, resolve(path)]])),
    ),
    preloaded: [],
  };
}

/** `VDNN_SPILL` and `--spill`: a directory, or yes or no. */
export function spillOf(text: string | boolean | undefined): string | boolean | undefined {
  if (typeof text !== "string") return text;
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  return /^(0|false|no|off|)$/i.test(text) ? false : resolve(text);
}

export function isOn(text: string | undefined): boolean {
  return text !== undefined && !/^(0|false|no|off|)$/i.test(text);
}
