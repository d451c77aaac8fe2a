/** JSON documents in files. Every document names its `schema` itself, except traces, whose format is not ours. */
import { writeFileSync } from "node:fs";

/** Writes one document, synchronously: it is called while the process ends. */
export function writeJson(path: string, document: unknown): void {
  writeFileSync(path, `${JSON.stringify(document)}\n`);
}
