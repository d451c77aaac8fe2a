/** Graph files: what is written is read back, and every broken file is refused with the place where it breaks. */
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseGraph, readGraph, writeGraph } from "../../src/graph/file.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { chainGraph, chainShapes } from "../support/graphs.ts";

const SHARED = path.join(import.meta.dirname, "../../../shared/data/graphs");

const SMALL = {
  schema: "vdnn-graph/1",
  name: "small",
  tensors: [
    { bytes: 8, role: "input" },
    { bytes: 4, role: "weight", name: "w" },
    { bytes: 16, role: "activation" },
  ],
  kernels: [
    { name: "f", pass: "forward", ms: 1, inputs: [0, 1], outputs: [2], workspaceBytes: 3, recomputable: false },
    { name: "u", layer: "l", pass: "update", ms: 0, inputs: [1, 2], outputs: [1] },
  ],
  layers: { l: "Dense" },
};

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "vdnn-graph-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("a graph file", () => {
  test.each(["plain.json", "packed.json.gz"])("reads back as it was written, %s", async (name) => {
    const file = path.join(folder, name);
    await fc.assert(
      fc.asyncProperty(chainShapes, async (shape) => {
        const graph = chainGraph(shape);
        await writeGraph(file, graph);
        expect(await readGraph(file)).toEqual(graph);
      }),
      { numRuns: 20 },
    );
  });

  test("is told from a gzipped one by its first bytes, not by its name", async () => {
    const file = path.join(folder, "misnamed.json");
    await writeFile(file, gzipSync(JSON.stringify(SMALL)));
    expect(await readGraph(file)).toEqual(SMALL);
  });

  test("keeps fields that the format does not know", async () => {
    const file = path.join(folder, "extra.json");
    const published = { us: { ideal: 12.5 } };
    await writeGraph(file, { ...(SMALL as Graph), published, source: "a paper" });
    const graph = await readGraph(file);
    expect(graph.published).toEqual(published);
    expect(graph.source).toBe("a paper");
  });

  test("is not written with a time that JSON cannot hold", async () => {
    const file = path.join(folder, "never.json");
    const graph = { ...SMALL, kernels: [{ ...SMALL.kernels[0], ms: Number.POSITIVE_INFINITY }] } as Graph;
    await expect(writeGraph(file, graph)).rejects.toMatchObject({ code: "ERR_INVALID_GRAPH" });
    expect(existsSync(file)).toBe(false);
  });
});

/** SMALL with the value at a path replaced; `undefined` leaves it out. */
function broken(at: readonly (string | number)[], value: unknown): string {
  const copy = structuredClone(SMALL) as unknown as Record<string | number, unknown>;
  let parent = copy;
  for (const key of at.slice(0, -1)) parent = parent[key] as Record<string | number, unknown>;
  parent[at.at(-1) ?? ""] = value;
  return JSON.stringify(copy);
}

const WRONG: readonly (readonly [path: string, got: string, text: string])[] = [
  ["graph", "a list of 0", "[]"],
  ["graph", "null", "null"],
  ["graph", "3", "3"],
  ["schema", '"vdnn-graph/2"', broken(["schema"], "vdnn-graph/2")],
  ["schema", "nothing", "{}"],
  ["name", "nothing", broken(["name"], undefined)],
  ["tensors", "an object", broken(["tensors"], {})],
  ["tensors[1]", "null", broken(["tensors", 1], null)],
  ["tensors[0].bytes", "-1", broken(["tensors", 0, "bytes"], -1)],
  ["tensors[0].bytes", "0.5", broken(["tensors", 0, "bytes"], 0.5)],
  ["tensors[0].bytes", '"8"', broken(["tensors", 0, "bytes"], "8")],
  ["tensors[0].bytes", "null", broken(["tensors", 0, "bytes"], Number.NaN)],
  ["tensors[0].bytes", "Infinity", broken(["tensors", 0, "bytes"], 7).replace('"bytes":7', '"bytes":1e999')],
  ["tensors[0].bytes", "9007199254740992", broken(["tensors", 0, "bytes"], 2 ** 53)],
  ["tensors", "9007199254741012", broken(["tensors", 0, "bytes"], 2 ** 53 - 1)],
  ["tensors[2].role", '"feature"', broken(["tensors", 2, "role"], "feature")],
  ["tensors[2].role", '"__proto__"', broken(["tensors", 2, "role"], "__proto__")],
  ["tensors[1].name", "1", broken(["tensors", 1, "name"], 1)],
  ["kernels", "nothing", broken(["kernels"], undefined)],
  ["kernels[1]", '"u"', broken(["kernels", 1], "u")],
  ["kernels[0].name", "nothing", broken(["kernels", 0, "name"], undefined)],
  ["kernels[1].layer", "null", broken(["kernels", 1, "layer"], null)],
  ["kernels[1].pass", '"sideways"', broken(["kernels", 1, "pass"], "sideways")],
  ["kernels[1].ms", "-2", broken(["kernels", 1, "ms"], -2)],
  ["kernels[1].ms", "Infinity", broken(["kernels", 1, "ms"], 7).replace('"ms":7', '"ms":1e999')],
  ["kernels[0].workspaceBytes", "-3", broken(["kernels", 0, "workspaceBytes"], -3)],
  ["kernels[0].recomputable", '"no"', broken(["kernels", 0, "recomputable"], "no")],
  ["kernels[0].inputs", "nothing", broken(["kernels", 0, "inputs"], undefined)],
  ["kernels[0].inputs[1]", "3", broken(["kernels", 0, "inputs", 1], 3)],
  ["kernels[0].inputs[1]", "-1", broken(["kernels", 0, "inputs", 1], -1)],
  ["kernels[0].inputs[1]", '"1"', broken(["kernels", 0, "inputs", 1], "1")],
  ["kernels[0].inputs[1]", "2", broken(["kernels", 0, "inputs", 1], 2)],
  ["kernels[1].outputs[0]", "1.5", broken(["kernels", 1, "outputs", 0], 1.5)],
  ["kernels[1].outputs[1]", "1", broken(["kernels", 1, "outputs"], [1, 1])],
  ["layers", "a list of 0", broken(["layers"], [])],
  ['layers["l"]', "7", broken(["layers", "l"], 7)],
];

describe("the reader refuses", () => {
  test.each(WRONG)("%s: %s", (where, got, text) => {
    expect(() => parseGraph(text, "file")).toThrowError(
      expect.objectContaining({
        code: "ERR_INVALID_GRAPH",
        message: expect.stringMatching(/^file: .*: expected .*, got /),
        details: expect.objectContaining({ source: "file", path: where, got }),
      }),
    );
  });

  test.each([
    ["malformed JSON", Buffer.from('{"schema": '), /malformed JSON/],
    ["an empty file", Buffer.alloc(0), /malformed JSON/],
    ["a truncated gzip", gzipSync(JSON.stringify(SMALL)).subarray(0, -12), /broken gzip/],
    ["two bytes of a gzip", Buffer.from([0x1f, 0x8b]), /broken gzip/],
    ["bytes that are no text", Buffer.from([0x7b, 0xff, 0xfe]), /UTF-8/],
    ["a gzip bomb", gzipSync(Buffer.alloc(32 * 1024 * 1024)), /unpacked text is larger than the limit of 1 MiB/],
    ["a huge file", Buffer.alloc(2 * 1024 * 1024, 0x20), /file is larger than the limit of 1 MiB/],
  ])("%s", async (what, bytes, message) => {
    const file = path.join(folder, what);
    await writeFile(file, bytes);
    await expect(readGraph(file, { maxBytes: 1024 * 1024 })).rejects.toMatchObject({
      code: "ERR_INVALID_GRAPH",
      message: expect.stringMatching(message),
    });
  });

  test("a file that is not there, a folder, an endless device", async () => {
    for (const file of [path.join(folder, "none"), folder, "/dev/zero"]) {
      await expect(readGraph(file, { maxBytes: 1024 * 1024 })).rejects.toMatchObject({ code: "ERR_INVALID_GRAPH" });
    }
  });

  test("text nested a million deep without overflowing the stack", () => {
    expect(() => parseGraph("[".repeat(1_000_000), "deep")).toThrowError(/malformed JSON/);
    expect(() => parseGraph("[".repeat(1_000_000) + "]".repeat(1_000_000), "deep")).toThrowError(/a list of 1/);
  });
});

describe.skipIf(!existsSync(SHARED))("the reference graphs", () => {
  const names = existsSync(SHARED) ? readdirSync(SHARED).filter((name) => /\.json(\.gz)?$/.test(name)) : [];
  test.each(names)("%s loads", async (name) => {
    const graph = await readGraph(path.join(SHARED, name));
    expect(graph.kernels.length).toBeGreaterThan(100);
    expect(graph.source).toBeTypeOf("string");
  });
});
