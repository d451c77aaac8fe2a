/** `--pes` as each kind of machine needs it. */
import { VdnnError } from "../../errors.ts";
import type { Pes } from "./machines.ts";

/** @throws VdnnError `ERR_INVALID_OPTION` where only a number was given */
export function arrayOf(machine: string, pes: Pes): { readonly rows: number; readonly columns: number } {
  if (typeof pes !== "number") return pes;
  throw new VdnnError(
    "ERR_INVALID_OPTION",
    `pes: ${machine} is an array of rows and columns, such as 12x14; got ${pes}`,
    { option: "pes", got: pes },
  );
}

export function countOf(pes: Pes): number {
  return typeof pes === "number" ? pes : pes.rows * pes.columns;
}
