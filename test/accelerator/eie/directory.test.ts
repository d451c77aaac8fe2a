/** The layer directory: the authors' own data to the cycle, written layers read back, and every file checked. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PE_TOTAL_MW } from "../../../src/accelerator/eie/machine.ts";
import { ALEX8_CYCLES } from "../../../src/accelerator/eie/published.ts";
import { readLayerDirectory } from "../../../src/accelerator/eie/read-directory.ts";
import { runLayerDirectory } from "../../../src/accelerator/eie/run-directory.ts";
import { simulate } from "../../../src/accelerator/eie/simulate.ts";
import { writeLayerDirectory } from "../../../src/accelerator/eie/write-directory.ts";
import { layerOf, machineOf } from "./matrices.ts";

const ALEX8 = path.join(import.meta.dirname, "../../../../shared/data/eie-alex8");

describe.skipIf(!existsSync(ALEX8))(
  "AlexNet's FC8, the data of the authors' simulator (RalphMao/EIE-simulator)",
  () => {
    test.each(Object.entries(ALEX8_CYCLES))("a queue of %s registers takes exactly %d cycles", async (fifo, cycles) => {
      const report = await runLayerDirectory(ALEX8, { fifo: Number(fifo) });
      expect(report.cycles).toBe(cycles);
    });

    test("1,051,991 entries, work 453,748, and the authors' outputs within 1e-4, the largest at 708", async () => {
      const report = await runLayerDirectory(ALEX8);
      expect(report).toMatchObject({ pes: 64, fifo: 8, inputs: 4096, bias: true, entries: 1_051_991, work: 453_748 });
      expect(report.maxError).toBeLessThan(1e-4);
      expect(report.argmax).toBe(708);
      expect(report.outputs).toHaveLength(1000);
      expect(Math.max(...report.loads)).toBe(7778);
      expect(report.broadcasts).toBe(1759 + 1);
    });

    test("8.9 µs in theory, 9.9 µs in fact, efficiency 0.895 (table IV: 8.9 and 9.9), 586 mW", async () => {
      const report = await runLayerDirectory(ALEX8);
      expect(report.theoreticalUs).toBeCloseTo(8.862, 3);
      expect(report.us).toBeCloseTo(9.9075, 4);
      expect(report.efficiency).toBeCloseTo(0.895, 3);
      expect(report.chipMw).toBeCloseTo(586, 0);
      expect(report.energyUj).toBeCloseTo((64 * PE_TOTAL_MW * report.us) / 1e3, 6);
      expect(report.storage.fits).toBe(true);
    });

    test("takes less than a second", async () => {
      const { layer, activations } = await readLayerDirectory(ALEX8);
      const { user } = process.cpuUsage();
      simulate(layer, activations);
      expect(process.cpuUsage().user - user).toBeLessThan(1e6);
    });
  },
);

describe("a written layer", () => {
  let directory = "";
  // Elements 0 and 1 own rows 0, 2, 4 and 1, 3.
  const layer = layerOf(
    [
      [1, 0, 2, 0, 3],
      [0, 4, 0, 5, 0],
      [6, 0, 0, 0, 7],
    ],
    2,
    [8, 9, 10, 11, 12],
  );
  const activations = Float32Array.of(0.5, 0, 2);

  beforeEach(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), "vdnn-eie-"));
    await writeLayerDirectory(directory, layer, activations, {
      expected: simulate(layer, activations, { machine: machineOf(2) }).outputs,
    });
  });
  afterEach(() => rm(directory, { recursive: true }));

  const file = (...names: string[]): string => path.join(directory, ...names);
  const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

  /** The whole message, which begins with the file's path. */
  async function refusal(name: string): Promise<string> {
    const error: unknown = await runLayerDirectory(directory).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "ERR_INVALID_MODEL" });
    const { message } = error as Error;
    expect(message.startsWith(file(...name.split("/")))).toBe(true);
    return message;
  }

  test("runs to the same cycles and outputs, with its inputs filled up to whole lines", async () => {
    const report = await runLayerDirectory(directory, { fifo: 4 });
    const run = simulate(layer, activations, { machine: machineOf(2, 4) });
    expect(report).toMatchObject({ pes: 2, inputs: 4, bias: true, cycles: run.cycles, work: run.work, maxError: 0 });
    expect(report.outputs).toEqual(Array.from(run.outputs));
  });

  test("has no bias where its pointers have none", async () => {
    await writeLayerDirectory(directory, layerOf([[4, 8]], 2), Float32Array.of(1));
    await rm(file("output_expected_f32.dat"));
    const report = await runLayerDirectory(directory);
    expect(report).toMatchObject({ bias: false, outputs: [1, 2], maxError: null });
  });

  test("is read as it was written", async () => {
    const read = await readLayerDirectory(directory);
    expect(read.layer.pes.map(({ entries }) => entries)).toEqual(layer.pes.map(({ entries }) => entries));
    expect(Array.from(read.layer.pes[0]?.pointers ?? [])).toEqual([0, 3, 3, 5, 5, 8]);
    expect(read.layer.codebook).toEqual(layer.codebook);
  });

  test.each(["act.dat", "arithm.dat", "ptr/ptr1.dat", "spm/spm0.dat"])("without %s is refused", async (name) => {
    await rm(file(...name.split("/")));
    expect(await refusal(name)).toMatch(/no such file/);
  });

  test("without both files of an element in between is refused", async () => {
    await writeLayerDirectory(directory, layerOf([[1, 2, 3]], 3), Float32Array.of(1));
    await rm(file("ptr", "ptr1.dat"));
    await rm(file("spm", "spm1.dat"));
    expect(await refusal("ptr/ptr1.dat")).toMatch(/no such file/);
  });

  test("a directory that is not there is refused by its first file", async () => {
    await expect(runLayerDirectory(file("absent"))).rejects.toThrow(/absent.*no such file; expected a layer directory/);
  });

  test.each([
    ["act.dat", 6, /expected numbers of 4 bytes, got 6 bytes; is it truncated/],
    ["act.dat", 0, /is empty/],
    ["ptr/ptr0.dat", 8, /expected 6 pointers .* got 2; is it or act.dat truncated/],
    ["ptr/ptr1.dat", 8, /expected 6 pointers .* got 2/],
    ["spm/spm1.dat", 12, /expected entries of 8 bytes, got half of one/],
    ["spm/spm1.dat", 8, /the last pointer says 4 entries, got 1/],
    ["output_expected_f32.dat", 8, /expected 5 outputs, got 2/],
  ])("%s cut to %d bytes is refused", async (name, bytes, message) => {
    await truncate(file(...name.split("/")), bytes);
    expect(await refusal(name)).toMatch(message);
  });

  test("pointers that fall are refused", async () => {
    await writeFile(file("ptr", "ptr0.dat"), words(0, 3, 2, 5, 5, 8));
    expect(await refusal("ptr/ptr0.dat")).toMatch(/pointer 2 is 2, below the 3 before it/);
  });

  test.each([
    [words(99, 0), /code 99, of 16 in the codebook/],
    [words(1, 16), /zero run of 16, more than 4 bits hold/],
    [words(1 << 20, 0), /code of 1048576/],
  ])("a corrupt entry is refused", async (entry, message) => {
    const whole = await readFile(file("spm", "spm1.dat"));
    whole.set(entry);
    await writeFile(file("spm", "spm1.dat"), whole);
    expect(await refusal("spm/spm1.dat")).toMatch(message);
  });

  test("rows beyond the outputs are refused", async () => {
    await expect(runLayerDirectory(directory, { outputs: 3 })).rejects.toThrow(
      /spm0\.dat: column 0 reaches row 4, beyond the 3 outputs/,
    );
  });

  test("a codebook that is not finite, or without 0 for code 0, is refused", async () => {
    await writeFile(file("arithm.dat"), new Uint8Array(Float32Array.of(0, Number.NaN).buffer));
    expect(await refusal("arithm.dat")).toMatch(/number 1 is NaN/);
    await writeFile(file("arithm.dat"), new Uint8Array(Float32Array.of(1, 2).buffer));
    expect(await refusal("arithm.dat")).toMatch(/expected code 0 to be the weight 0, got 1/);
  });

  test("a queue of one register is refused before anything is read", async () => {
    await expect(runLayerDirectory("/absent", { fifo: 1 })).rejects.toThrow(/never finish/);
  });

  test("nothing is written of activations or outputs of the wrong size", async () => {
    const target = file("new");
    await expect(writeLayerDirectory(target, layer, Float32Array.of(1))).rejects.toThrow(/expected 3 activations/);
    await expect(writeLayerDirectory(target, layer, activations, { expected: Float32Array.of(1) })).rejects.toThrow(
      /expected 5 outputs, got 1/,
    );
    expect(existsSync(target)).toBe(false);
  });
});
