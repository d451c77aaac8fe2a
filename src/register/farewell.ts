/** The end of a script under vdnn: files and a summary, inside the process's `exit` event. It changes nothing about the exit. */
import { writeSync } from "node:fs";
import { basename } from "node:path";
import { writeGraphSync } from "../graph/file.ts";
import { writeReport } from "../report/file.ts";
import type { Page } from "../report/html/page.ts";
import { sessionPage } from "../report/html/session-page.ts";
import { jsonText, writeJson } from "../report/json.ts";
import { machineText } from "../report/machine.ts";
import { recordedTimesNote, renderSummary } from "../report/summary.ts";
import { toChromeTrace } from "../report/trace-events.ts";
import type { SessionReport } from "../report/result.ts";
import type { Session } from "../runtime/session.ts";
import { formatBytes } from "../units.ts";
import type { RegisterSettings } from "./settings.ts";

const STDERR = 2;
/** A full pipe on a non-blocking descriptor: the reader gets this many chances, the summary is not worth more. */
const ATTEMPTS = 100;

/**
 * Writes the files that were asked for and says on standard error what happened. A file that cannot be written is a message and
 * not another exit code: the exit code belongs to the script.
 *
 * @param sessions in order; more than one where the script changed the backend. The files are of the last that trained
 * @param absent a backend that the script set and that did not start
 */
export function farewell(
  sessions: readonly Session[],
  { quiet, files }: RegisterSettings,
  absent: string | null,
): void {
  const trained = sessions.filter((session) => session.report().iterations.length > 0);
  const shown = trained.length > 0 ? trained : sessions.slice(-1);
  const last = shown.at(-1);
  const wanted = Object.entries(files).flatMap(([name, path]) => (path === undefined ? [] : [`--${name} ${path}`]));
  if (last === undefined) {
    const unwritten = wanted.length === 0 ? "" : `; not written: ${wanted.join(", ")}`;
    if (!quiet || wanted.length > 0)
      say(`the script never trained a model in this process, nothing was virtualized${unwritten}`);
    if (!quiet && absent !== null) say(`backend ${absent} did not start; \`vdnn doctor\` says what is missing`);
    return;
  }
  if (shown.length > 1 && wanted.length > 0)
    say(`the script trained on ${shown.length} backends in turn; ${wanted.join(", ")}: of the last, ${last.backend}`);
  writeFiles(last, files, quiet);
  if (!quiet) shown.flatMap((session) => renderSummary(session.report())).forEach(say);
}

function writeFiles(session: Session, files: RegisterSettings["files"], quiet: boolean): void {
  const report = session.report();
  const write = (name: keyof RegisterSettings["files"], writeTo: (path: string) => void): void => {
    const path = files[name];
    if (path === undefined) return;
    try {
      writeTo(path);
    } catch (error) {
      say(`--${name} ${path}: could not be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  write("report", (path) => writeReport(path, { json: () => jsonText(report), page: () => runPage(session, report) }));
  write("trace", (path) =>
    writeJson(path, toChromeTrace(session.trace(), `vdnn ${report.policy} on ${report.backend}`)),
  );
  write("record", (path) => {
    const recorded = session.recorded();
    if (recorded === null)
      return say(`--record ${path}: not written, as policy ${report.policy} recorded no iteration`);
    writeGraphSync(path, recorded.graph);
    if (!quiet) say(recordedText(path, recorded) + recordedTimesNote(report.backend));
  });
}

function runPage(session: Session, report: SessionReport): Page {
  const script = process.argv[1] ?? "a script";
  return sessionPage({
    title: basename(script),
    lead: [
      [script, ...process.argv.slice(2)].join(" "),
      `backend ${report.backend}, Node.js ${process.version}, ${machineText()}`,
    ],
    command: "run",
    report,
    history: session.history(),
  });
}

/** What a record holds, and that it is not all where it is not. */
function recordedText(path: string, { graph, kinds }: NonNullable<ReturnType<Session["recorded"]>>): string {
  const bytes = formatBytes(graph.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0));
  const which = kinds > 1 ? `; of ${kinds} kinds of iteration the one with the largest activations` : "";
  return `recorded ${graph.kernels.length} kernels over tensors of ${bytes} in ${path}${which}`;
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
