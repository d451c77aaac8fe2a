/** Allocation problems as MiniMalloc's benchmarks write them: a header, then `id,lower,upper,size` in any order of columns. */
import { VdnnError } from "../../errors.ts";
import { type Buffers, buffersOf } from "./buffers.ts";

const COLUMNS = ["id", "lower", "upper", "size"] as const;

export interface AllocationProblem {
  readonly ids: readonly string[];
  readonly buffers: Buffers;
}

/**
 * @param name what to call the text in messages
 * @throws VdnnError `ERR_INVALID_GRAPH` naming the line
 */
export function parseBuffers(text: string, name: string): AllocationProblem {
  const fail = (line: number, message: string): never => {
    throw new VdnnError("ERR_INVALID_GRAPH", `${name}:${line}: ${message}`, { source: name, line });
  };
  const [header = "", ...lines] = text.split(/\r?\n/);
  const names = header.split(",").map((cell) => cell.trim());
  const missing = COLUMNS.filter((column) => !names.includes(column));
  if (missing.length > 0) fail(1, `expected the columns ${COLUMNS.join(",")}, found no ${missing.join(", ")}`);
  const ids: string[] = [];
  const list: { lower: number; upper: number; bytes: number }[] = [];
  lines.forEach((line, i) => {
    if (line.trim() === "") return;
    const cells = line.split(",");
    const number = (column: (typeof COLUMNS)[number]): number => {
      const cell = cells[names.indexOf(column)]?.trim() ?? "";
      const value = Number(cell);
      if (cell === "" || !Number.isSafeInteger(value) || value < 0) {
        fail(i + 2, `${column}: expected a whole number of at least 0, got ${JSON.stringify(cell.slice(0, 40))}`);
      }
      return value;
    };
    const [lower, upper, bytes] = [number("lower"), number("upper"), number("size")];
    if (upper <= lower) fail(i + 2, `expected lower < upper, got ${lower} and ${upper}`);
    ids.push(cells[names.indexOf("id")]?.trim() ?? "");
    list.push({ lower, upper, bytes });
  });
  return { ids, buffers: buffersOf(list) };
}
