/**
 * Is this value a `vdnn-graph/1` graph? Checked by hand, field by field, so that the message can say where and what instead. It
 * checks the format and the order of writes and reads; it knows nothing of files.
 */
import { VdnnError } from "../errors.ts";
import type { Graph } from "./graph.ts";
import { existsBefore } from "./lifetimes.ts";

export const GRAPH_SCHEMA = "vdnn-graph/1";

const ROLES: ReadonlySet<unknown> = new Set(["input", "weight", "state", "activation", "gradient", "output"]);
const PASSES: ReadonlySet<unknown> = new Set(["forward", "backward", "update"]);

type Fields = Readonly<Record<string, unknown>>;

/**
 * Narrows without copying: fields that the format does not know stay where they are.
 *
 * @param source what to call it in messages, say the file's path
 * @throws VdnnError `ERR_INVALID_GRAPH`; `details` has `source`, `path` (`kernels[12].inputs[0]`), `expected` and `got`
 */
export function checkGraph(value: unknown, source: string): asserts value is Graph {
  const fail: Fail = (path, expected, got) => {
    throw new VdnnError("ERR_INVALID_GRAPH", `${source}: ${path}: expected ${expected}, got ${show(got)}`, {
      source,
      path,
      expected,
      got: show(got),
    });
  };
  const graph = fields(value, "graph", fail);
  if (graph.schema !== GRAPH_SCHEMA) fail("schema", `"${GRAPH_SCHEMA}"`, graph.schema);
  if (typeof graph.name !== "string") fail("name", "a string", graph.name);
  const written = checkTensors(list(graph.tensors, "tensors", fail), fail);
  list(graph.kernels, "kernels", fail).forEach((kernel, k) => {
    checkKernel(fields(kernel, `kernels[${k}]`, fail), `kernels[${k}]`, written, fail);
  });
  if (graph.layers === undefined) return;
  for (const [name, kind] of Object.entries(fields(graph.layers, "layers", fail))) {
    if (typeof kind !== "string") fail(`layers[${JSON.stringify(name)}]`, "a string", kind);
  }
}

type Fail = (path: string, expected: string, got: unknown) => never;

/** One byte per tensor: 1 where it exists before the first kernel. */
function checkTensors(tensors: readonly unknown[], fail: Fail): Uint8Array {
  const written = new Uint8Array(tensors.length);
  let total = 0;
  tensors.forEach((value, t) => {
    const path = `tensors[${t}]`;
    const { bytes, role, name } = fields(value, path, fail);
    if (!isByteCount(bytes)) fail(`${path}.bytes`, "a whole number of bytes, at least 0", bytes);
    if (!ROLES.has(role)) fail(`${path}.role`, `one of ${[...ROLES].join(", ")}`, role);
    if (name !== undefined && typeof name !== "string") fail(`${path}.name`, "a string", name);
    if (existsBefore(role as never)) written[t] = 1;
    total += bytes as number;
  });
  // Sums of bytes are kept in doubles and must stay exact.
  if (!Number.isSafeInteger(total)) fail("tensors", "sizes that add up to less than 2^53 bytes", total);
  return written;
}

/** Marks what the kernel writes. */
function checkKernel(kernel: Fields, path: string, written: Uint8Array, fail: Fail): void {
  const { name, layer, pass, ms, workspaceBytes, recomputable } = kernel;
  if (typeof name !== "string") fail(`${path}.name`, "a string", name);
  if (layer !== undefined && typeof layer !== "string") fail(`${path}.layer`, "a string", layer);
  if (!PASSES.has(pass)) fail(`${path}.pass`, `one of ${[...PASSES].join(", ")}`, pass);
  if (typeof ms !== "number" || !Number.isFinite(ms) || ms < 0) fail(`${path}.ms`, "a finite time, at least 0", ms);
  if (workspaceBytes !== undefined && !isByteCount(workspaceBytes)) {
    fail(`${path}.workspaceBytes`, "a whole number of bytes, at least 0", workspaceBytes);
  }
  if (recomputable !== undefined && typeof recomputable !== "boolean") {
    fail(`${path}.recomputable`, "true or false", recomputable);
  }
  const index = (value: unknown, at: string): number =>
    typeof value === "number" && Number.isInteger(value) && value >= 0 && value < written.length
      ? value
      : fail(at, `the index of one of ${written.length} tensors`, value);
  list(kernel.inputs, `${path}.inputs`, fail).forEach((value, i) => {
    const at = `${path}.inputs[${i}]`;
    // Kernels stand in execution order, so a cycle shows as a read before the first write.
    if (written[index(value, at)] === 0) fail(at, "a tensor that an earlier kernel wrote", value);
  });
  const outputs = list(kernel.outputs, `${path}.outputs`, fail);
  const own = new Set<number>();
  outputs.forEach((value, i) => {
    const t = index(value, `${path}.outputs[${i}]`);
    if (own.has(t)) fail(`${path}.outputs[${i}]`, "each output once", value);
    own.add(t);
  });
  for (const t of own) written[t] = 1;
}

function isByteCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function fields(value: unknown, path: string, fail: Fail): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : fail(path, "an object", value);
}

function list(value: unknown, path: string, fail: Fail): readonly unknown[] {
  return Array.isArray(value) ? value : fail(path, "a list", value);
}

/** Short, and nothing of what a hostile file may hold. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return value === undefined ? "nothing" : `${value as number | boolean | null}`;
}
