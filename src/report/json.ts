/** JSON documents in files. Every document names its `schema` itself, except traces, whose format is not ours. */
import { writeFileSync } from "node:fs";

export function jsonText(document: unknown): string {
  return `${JSON.stringify(document)}\n`;
}

/** Writes one document, synchronously: it is called while the process ends. */
export function writeJson(path: string, document: unknown): void {
  writeFileSync(path, jsonText(document));
}
