/**
 * Reads and writes graph files: `vdnn-graph/1` as JSON, gzipped or not, told apart by their first two bytes. What a graph must
 * be is told by `check.ts`; here are bytes, text and limits, so that no file can take all of the machine's memory.
 */
import { writeFileSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip, gzip, gzipSync } from "node:zlib";
import { VdnnError } from "../errors.ts";
import { formatBytes } from "../units.ts";
import { checkGraph } from "./check.ts";
import type { Graph } from "./graph.ts";

/** A graph with what its file tells beside it. Planning does not look at these. */
export interface GraphFile extends Graph {
  /** Where it was taken from. */
  readonly source?: string;
  /** Results that others published for this graph, in the form of their source. */
  readonly published?: Readonly<Record<string, unknown>>;
  readonly stats?: Readonly<Record<string, unknown>>;
}

export interface ReadGraphOptions {
  /** Limit on the file and on its unpacked text, bytes. Default 128 MiB: about half a million kernels. */
  readonly maxBytes?: number;
}

/** JSON takes up to 20 times its length as objects. */
const MAX_BYTES = 128 * 1024 * 1024;

/** @throws VdnnError `ERR_INVALID_GRAPH` that says where in the file, what was expected and what was found */
export async function readGraph(path: string, options: ReadGraphOptions = {}): Promise<GraphFile> {
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  const stored = await readAtMost(path, maxBytes);
  const isGzip = stored[0] === 0x1f && stored[1] === 0x8b;
  const bytes = isGzip ? await unpack(stored, path, maxBytes) : stored;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalid(path, "expected JSON in UTF-8, plain or gzipped", cause);
  }
  return parseGraph(text, path);
}

/**
 * @param name what to call the text in messages
 * @throws VdnnError `ERR_INVALID_GRAPH`
 */
export function parseGraph(text: string, name: string): GraphFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(name, `malformed JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  checkGraph(value, name);
  return value;
}

/**
 * One line for each tensor and kernel, so that files can be compared; gzipped when the path ends in `.gz`.
 *
 * @throws VdnnError `ERR_INVALID_GRAPH` before anything is written: NaN and Infinity would be written as null
 */
export async function writeGraph(path: string, graph: GraphFile): Promise<void> {
  const text = graphText(graph);
  await writeFile(path, path.endsWith(".gz") ? await promisify(gzip)(text) : text);
}

/** The same for a process that ends, and waits for nothing any more. */
export function writeGraphSync(path: string, graph: GraphFile): void {
  const text = graphText(graph);
  writeFileSync(path, path.endsWith(".gz") ? gzipSync(text) : text);
}

function graphText(graph: GraphFile): string {
  checkGraph(graph, graph.name);
  const { tensors, kernels, ...rest } = graph;
  const head = JSON.stringify(rest).slice(0, -1);
  return `${head},\n"tensors":[\n${lines(tensors)}\n],\n"kernels":[\n${lines(kernels)}\n]}\n`;
}

function lines(values: readonly object[]): string {
  return values.map((value) => JSON.stringify(value)).join(",\n");
}

/** The size that the file system tells is not asked for: devices and pipes have none. */
async function readAtMost(path: string, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    await using file = await open(path);
    // Ends one byte behind the limit, which is enough to know.
    for await (const chunk of file.createReadStream({ start: 0, end: maxBytes })) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
    }
  } catch (cause) {
    throw invalid(path, `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  if (length > maxBytes) throw tooLarge(path, "file", maxBytes);
  return Buffer.concat(chunks, length);
}

async function unpack(stored: Buffer, path: string, maxBytes: number): Promise<Buffer> {
  try {
    return await promisify(gunzip)(stored, { maxOutputLength: maxBytes });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw tooLarge(path, "unpacked text", maxBytes, cause);
    }
    throw invalid(path, `broken gzip: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

function tooLarge(path: string, what: string, maxBytes: number, cause?: unknown): VdnnError {
  return invalid(path, `the ${what} is larger than the limit of ${formatBytes(maxBytes)}; raise maxBytes`, cause);
}

function invalid(source: string, rule: string, cause: unknown): VdnnError {
  return new VdnnError("ERR_INVALID_GRAPH", `${source}: ${rule}`, { source }, { cause });
}
