/** A table of energies from outside (`vdnn-accelerator-energy/1`): what is checked before any model counts with it. */
import { readFileSync } from "node:fs";
import { VdnnError } from "../errors.ts";
import { canonical } from "../simulator/names.ts";
import { MEMORY_LEVELS } from "./cost.ts";
import { ACCELERATOR_ENERGY, energyNamed } from "./energy-data.ts";
import { type AcceleratorEnergy, PRECISIONS } from "./energy.ts";

const SCHEMA = "vdnn-accelerator-energy/1";

/**
 * A table by its name, or from a JSON file where the text ends in `.json` or has a slash.
 *
 * @throws VdnnError `ERR_INVALID_OPTION` for an unknown name, with the nearest; a file that cannot be read; a table that
 * breaks the format
 */
export function readEnergy(nameOrFile: string): AcceleratorEnergy {
  const isName = ACCELERATOR_ENERGY.some(({ name }) => canonical(name) === canonical(nameOrFile));
  if (isName || !/\.json$|[/\\]/.test(nameOrFile)) return energyNamed(nameOrFile);
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(nameOrFile, "utf8"));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `energy: expected a table's name or a JSON file of schema ${SCHEMA}, got ${nameOrFile} (${reason})`,
      { option: "energy", got: nameOrFile },
      { cause },
    );
  }
  return checkEnergy(document, nameOrFile);
}

/**
 * @param where what the messages call the table: its file
 * @throws VdnnError `ERR_INVALID_OPTION` that names the field
 */
export function checkEnergy(value: unknown, where = "energy"): AcceleratorEnergy {
  const table = objectAt(value, "", where);
  if (table["schema"] !== SCHEMA) throw invalid(where, "schema", JSON.stringify(SCHEMA), table["schema"]);
  for (const field of ["name", "source"]) {
    if (typeof table[field] !== "string" || table[field] === "") throw invalid(where, field, "a text", table[field]);
  }
  const bits = table["wordBits"];
  if (!Number.isSafeInteger(bits) || (bits as number) <= 0) {
    throw invalid(where, "wordBits", "a whole number of bits, 16 or 32", bits);
  }
  checkNumbers(objectAt(table["accessPj"], "accessPj", where), "accessPj", MEMORY_LEVELS, where);
  checkNumbers(objectAt(table["multiplyPj"], "multiplyPj", where), "multiplyPj", PRECISIONS, where);
  checkNumbers(objectAt(table["addPj"], "addPj", where), "addPj", [...PRECISIONS, "int32"], where);
  checkNumber(table["staticMw"], "staticMw", where);
  return value as AcceleratorEnergy;
}

function checkNumbers(
  numbers: Readonly<Record<string, unknown>>,
  field: string,
  names: readonly string[],
  where: string,
): void {
  for (const name of names) checkNumber(numbers[name], `${field}.${name}`, where);
  const unknown = Object.keys(numbers).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw invalid(where, `${field}.${unknown}`, `none but ${names.join(", ")}`, numbers[unknown]);
  }
}

function checkNumber(value: unknown, field: string, where: string): void {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return;
  throw invalid(where, field, "a number of at least 0 (0: the table says nothing of it)", value);
}

function objectAt(value: unknown, field: string, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid(where, field === "" ? "the document" : field, "an object", value);
}

function invalid(where: string, field: string, expected: string, got: unknown): VdnnError {
  const text = got === undefined ? "nothing" : JSON.stringify(got);
  return new VdnnError("ERR_INVALID_OPTION", `${where}: ${field}: expected ${expected}, got ${text}`, {
    option: "energy",
    field,
    got,
  });
}
