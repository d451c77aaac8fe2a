/** The end of a script under vdnn: files and a summary, inside the process's `exit` event. It changes nothing about the exit. */
import { writeSync } from "node:fs";
import { writeJson } from "../report/json.ts";
import { renderSummary } from "../report/summary.ts";
import { toChromeTrace } from "../report/trace-events.ts";
import type { Session } from "../runtime/session.ts";
import type { RegisterSettings } from "./settings.ts";

const STDERR = 2;
/** A full pipe on a non-blocking descriptor: the reader gets this many chances, the summary is not worth more. */
const ATTEMPTS = 100;

/**
 * Writes the files that were asked for and says on standard error what happened. A file that cannot be written is a message and
 * not another exit code: the exit code belongs to the script.
 */
export function farewell(session: Session | null, { quiet, files }: RegisterSettings): void {
  const wanted = Object.entries(files).flatMap(([name, path]) => (path === undefined ? [] : [`--${name} ${path}`]));
  if (session === null) {
    const unwritten = wanted.length === 0 ? "" : `; not written: ${wanted.join(", ")}`;
    if (!quiet || wanted.length > 0)
      say(`the script never trained a model in this process, nothing was virtualized${unwritten}`);
    return;
  }
  const report = session.report();
  const documents = {
    report: () => report,
    trace: () => toChromeTrace(session.trace(), `vdnn ${report.policy} on ${report.backend}`),
    record: () => session.graph(),
  };
  for (const [name, make] of Object.entries(documents)) {
    const path = files[name as keyof typeof files];
    if (path === undefined) continue;
    try {
      const document = make();
      if (document === null) say(`--${name} ${path}: not written, as policy ${report.policy} recorded no iteration`);
      else writeJson(path, document);
    } catch (error) {
      say(`--${name} ${path}: could not be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (!quiet) renderSummary(report).forEach(say);
}

/** Synchronous, and past whatever the script made of `process.stderr`. */
export function say(text: string): void {
  const line = Buffer.from(`vdnn: ${text}\n`);
  let from = 0;
  for (let attempt = 0; from < line.length && attempt < ATTEMPTS; attempt++) {
    try {
      from += writeSync(STDERR, line, from);
    } catch (error) {
      // Standard error is closed or its reader is gone: there is nobody to tell.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
