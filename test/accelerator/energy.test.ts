/** Energy tables: those that come with vdnn keep their own format, and a bad one is refused with the field's name. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { energyOf } from "../../src/accelerator/account.ts";
import { ACCELERATOR_ENERGY, energyNamed, MAC_UNIT_PJ } from "../../src/accelerator/energy-data.ts";
import { checkEnergy, readEnergy } from "../../src/accelerator/energy-file.ts";

const table = ACCELERATOR_ENERGY[0] as (typeof ACCELERATOR_ENERGY)[number];

const folder = mkdtempSync(path.join(tmpdir(), "vdnn-energy-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(text: string): string {
  const file = path.join(folder, "table.json");
  writeFileSync(file, text);
  return file;
}

describe("the tables of vdnn", () => {
  test.each(ACCELERATOR_ENERGY)("$name keeps the format of files", (each) => {
    expect(checkEnergy(structuredClone(each))).toEqual(each);
    expect(each.source).not.toBe("");
  });

  test("Eyeriss's is 200 : 6 : 2 : 1 to one 16-bit MAC (ISCA 2016, table IV)", () => {
    const { accessPj, multiplyPj, addPj } = energyNamed("eyeriss-normalized");
    const mac = multiplyPj.int16 + addPj.int32;
    expect(mac).toBe(MAC_UNIT_PJ);
    expect(accessPj.dram / mac).toBeCloseTo(200);
    expect(accessPj.buffer / mac).toBeCloseTo(6);
    expect(accessPj.array / mac).toBeCloseTo(2);
    expect(accessPj.registers / mac).toBeCloseTo(1);
  });

  test("a DRAM access costs more than a hundred 16-bit MACs in all of them", () => {
    for (const { accessPj, multiplyPj, addPj } of ACCELERATOR_ENERGY) {
      expect(accessPj.dram / (multiplyPj.int16 + addPj.int32)).toBeGreaterThan(100);
    }
  });

  test("are found by name, and an unknown name gets the nearest", () => {
    expect(readEnergy("Horowitz_45nm").name).toBe("horowitz-45nm");
    expect(() => readEnergy("horowits")).toThrow(/unknown energy "horowits"; did you mean horowitz-45nm/);
  });
});

describe("a table from a file", () => {
  test("is read", () => {
    expect(readEnergy(fileOf(JSON.stringify({ ...table, name: "mine" }))).name).toBe("mine");
  });

  test.each([
    ["another schema", { ...table, schema: "vdnn-energy/1" }, /schema: expected "vdnn-accelerator-energy\/1"/],
    [
      "a negative energy",
      { ...table, accessPj: { ...table.accessPj, dram: -1 } },
      /accessPj\.dram: expected .* got -1/,
    ],
    ["a missing energy", { ...table, multiplyPj: { fp32: 1, fp16: 1, int8: 1 } }, /multiplyPj\.int16: .* got nothing/],
    ["a misspelled level", { ...table, accessPj: { ...table.accessPj, sram: 1 } }, /accessPj\.sram: expected none but/],
    ["a text for a number", { ...table, staticMw: "12" }, /staticMw: expected .* got "12"/],
    ["no word width", { ...table, wordBits: 0 }, /wordBits: expected .* got 0/],
    ["a list", [], /the document: expected an object/],
    ["no source", { ...table, source: "" }, /source: expected a text/],
  ])("is refused with %s", (_, document, message) => {
    expect(() => readEnergy(fileOf(JSON.stringify(document)))).toThrow(message);
  });

  test("is refused where it is not JSON or not there", () => {
    expect(() => readEnergy(fileOf("{"))).toThrow(/expected a table's name or a JSON file/);
    expect(() => readEnergy("/nowhere/table.json")).toThrow(/ENOENT/);
  });
});

test("energy is counts times the table, narrower words in proportion", () => {
  fc.assert(
    fc.property(fc.nat(1e6), fc.nat(1e6), fc.constantFrom(8, 16, 32), (dram, activeMacs, wordBits) => {
      const accesses = { dram, buffer: 2 * dram, array: 0, registers: 1 };
      const base = { accesses, activeMacs, precision: "int16", accumulate: "int32", ms: 2 } as const;
      const pj = energyOf({ ...base, wordBits }, { ...table, staticMw: 3 });
      expect(pj.dram).toBeCloseTo((dram * table.accessPj.dram * wordBits) / 16);
      expect(pj.arithmetic).toBeCloseTo(activeMacs * MAC_UNIT_PJ);
      // 3 mW for 2 ms.
      expect(pj.static).toBe(6e6);
    }),
  );
});
