/** The logger of the command-line program and of `vdnn/register`: pino, to standard error, synchronous so that nothing is lost. */
import { destination, type Logger, pino } from "pino";

export const LOG_LEVELS = ["silent", "fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const STDERR = 2;

export function isLogLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}

/** Undefined for `silent`: then nothing is formatted either. */
export function createLogger(level: LogLevel): Logger | undefined {
  return level === "silent" ? undefined : pino({ name: "vdnn", level }, destination({ fd: STDERR, sync: true }));
}
