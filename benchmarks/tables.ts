/**
 * Do the tables in the documents say what was measured? Writes them from the committed results: each `<!-- bench:NAME -->` up to
 * `<!-- /bench -->` becomes the tables of `benchmarks/results/NAME.json`, and `bench:glance` one line of each. With `--check` it
 * only compares, and fails when stale.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { arenaTables } from "./arena.ts";
import { compressTables } from "./compress-result.ts";
import { dtrTables } from "./dtr-result.ts";
import { eieTables } from "./eie-result.ts";
import { eyerissTables } from "./eyeriss-result.ts";
import { g10Tables } from "./g10-result.ts";
import { glanceTable } from "./glance.ts";
import { type Environment, progress, ROOT, runAsProgram, type Table } from "./harness.ts";
import { limitTables } from "./limit.ts";
import { memoryTables } from "./memory.ts";
import { UsageError } from "./options.ts";
import { optimalityTables } from "./optimality.ts";
import { overheadTables } from "./overhead.ts";
import { overlapTables } from "./overlap.ts";
import { peersTables } from "./peers-result.ts";
import { policiesTables } from "./policies.ts";
import { rssTables } from "./rss.ts";
import { scalingTables } from "./scaling.ts";
import { speedTables } from "./speed-result.ts";
import { talkTables } from "./talk-result.ts";

export interface BenchDocument {
  readonly schema: string;
  readonly environment: Environment;
}

type Renderer = (document: never) => Table[];

const RENDERERS: Readonly<Record<string, Renderer>> = {
  "vdnn-bench-memory/1": memoryTables,
  "vdnn-bench-speed/1": speedTables,
  "vdnn-bench-rss/1": rssTables,
  "vdnn-bench-limit/1": limitTables,
  "vdnn-bench-overhead/1": overheadTables,
  "vdnn-bench-overlap/2": overlapTables,
  "vdnn-bench-peers/1": peersTables,
  "vdnn-bench-g10/1": g10Tables,
  "vdnn-bench-dtr/1": dtrTables,
  "vdnn-bench-scaling/1": scalingTables,
  "vdnn-bench-policies/1": policiesTables,
  "vdnn-bench-arena/1": arenaTables,
  "vdnn-bench-optimality/1": optimalityTables,
  "vdnn-bench-eyeriss/1": eyerissTables,
  "vdnn-bench-eie/1": eieTables,
  "vdnn-bench-compress/1": compressTables,
  "vdnn-bench-talk/1": talkTables,
};

const BLOCK = /<!-- bench:([\w-]+) -->[^]*?<!-- \/bench -->/g;

/** The text with every marked block filled in. Filling in twice is filling in once. */
export function fillTables(text: string, documents: ReadonlyMap<string, BenchDocument>): string {
  const opened = text.match(/<!-- bench:/g)?.length ?? 0;
  const closed = text.match(BLOCK)?.length ?? 0;
  if (opened !== closed)
    throw new Error(`${opened} blocks begin with <!-- bench:NAME -->, ${closed} end with <!-- /bench -->`);
  return text.replace(BLOCK, (_, name: string) => {
    return `<!-- bench:${name} -->\n\n${blockOf(name, documents)}\n\n<!-- /bench -->`;
  });
}

function blockOf(name: string, documents: ReadonlyMap<string, BenchDocument>): string {
  if (name === "glance") return renderTable(glanceTable(documents));
  const document = documents.get(name);
  if (document === undefined) {
    throw new Error(`there is no result ${name}.json; there are ${[...documents.keys()].join(", ") || "none"}`);
  }
  const render = RENDERERS[document.schema];
  if (render === undefined) throw new Error(`unknown schema ${document.schema}`);
  return [...render(document as never).map(renderTable), describeEnvironment(document.environment)].join("\n\n");
}

function renderTable(table: Table): string {
  return `${escape(table.caption)}\n\n${markdownTable(table)}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** Padded as the formatter would pad it; the first column to the left, the others to the right. */
function markdownTable({ header, rows }: Table): string {
  const lines = [header, ...rows].map((line) => line.map(escape));
  const widths = header.map((_, i) => Math.max(3, ...lines.map((line) => (line[i] ?? "").length)));
  const pad = (line: readonly string[]): string =>
    row(widths.map((width, i) => (i === 0 ? (line[i] ?? "").padEnd(width) : (line[i] ?? "").padStart(width))));
  const rule = row(widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)));
  const [head = [], ...body] = lines;
  return [pad(head), rule, ...body.map(pad)].join("\n");
}

/** Names of variables are code. */
function escape(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll(/\b[A-Z]+(?:_[A-Z\d]+)+_?(?:=\w+)?/g, (name) => `\`${name}\``);
}

function describeEnvironment(environment: Environment): string {
  const { cpu, cores, memoryBytes, node, runtime, date, commit, loadAverageStart, loadAverageEnd } = environment;
  const library =
    runtime === null
      ? ""
      : `, ${runtime.packageName} ${runtime.packageVersion}` +
        (runtime.tensorflowVersion === null ? "" : ` on TensorFlow ${runtime.tensorflowVersion}`);
  const load = [loadAverageStart, loadAverageEnd].map(([minute = 0]) => minute.toFixed(1)).join(" to ");
  return (
    `${cpu}, ${cores} cores, ${Math.round(memoryBytes / 2 ** 30)} GiB, Node.js ${node}${library}; ${date.slice(0, 10)}, ` +
    `commit ${commit.slice(0, 8)}${commit.endsWith("+") ? " with changes" : ""}, load average ${load}.`
  );
}

function readDocuments(folder: string): Map<string, BenchDocument> {
  if (!existsSync(folder)) return new Map();
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  return new Map(
    files.map((file) => [
      path.basename(file, ".json"),
      JSON.parse(readFileSync(path.join(folder, file), "utf8")) as BenchDocument,
    ]),
  );
}

/** Where tables stand, relative to the root. */
const DOCUMENTS = ["README.md", "docs/results.md", "docs/inference.md"];

interface Flags {
  readonly check: boolean;
  readonly results: string;
  readonly files: readonly string[];
}

function readFlags(): Flags {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        check: { type: "boolean", default: false },
        results: { type: "string", default: path.join(import.meta.dirname, "results") },
      },
    });
    const files = positionals.length > 0 ? positionals : DOCUMENTS.map((name) => path.join(ROOT, name));
    return { ...values, files };
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

await runAsProgram(import.meta.url, async () => {
  const { check, files, results } = readFlags();
  const documents = readDocuments(results);
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    const filled = fillTables(text, documents);
    if (filled === text) {
      progress(`${file}: tables are up to date`);
    } else if (check) {
      progress(`${file}: tables are stale; run node --import tsx benchmarks/tables.ts`);
      process.exitCode = 1;
    } else {
      writeFileSync(file, filled);
      progress(`${file}: tables written`);
    }
  }
});
