import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { VdnnError } from "../../src/errors.ts";
import { SpillFile } from "../../src/memory/spill-file.ts";

const directory = mkdtempSync(join(tmpdir(), "vdnn-spill-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

function failure(run: () => unknown): VdnnError {
  try {
    run();
  } catch (error) {
    if (error instanceof VdnnError) return error;
    throw error;
  }
  throw new Error("expected an error");
}

describe("SpillFile", () => {
  it("is gone from the directory at once, and its descriptor is closed by close", () => {
    const spill = SpillFile.create({ directory });
    expect(readdirSync(directory)).toEqual([]);
    expect(spill.path.startsWith(directory)).toBe(true);
    spill.close();
    spill.close();
    expect(() => closeSync(spill.fd)).toThrow(/EBADF/);
    expect(() => spill.extents.allocate(1)).toThrow(/close/);
  });

  it("hands out aligned extents and reuses freed ones", () => {
    const spill = SpillFile.create({ directory, direct: false });
    const offsets = [spill.extents.allocate(1), spill.extents.allocate(5000), spill.extents.allocate(4096)];
    expect(offsets).toEqual([0, 4096, 12_288]);
    expect(spill.extents.usedBytes).toBe(16_384);
    spill.extents.free(4096);
    expect(spill.extents.allocate(4000)).toBe(4096);
    expect(spill.extents.fileBytes).toBe(16_384);
    expect(spill.direct).toBe(false);
    spill.extents.free(0);
    expect(failure(() => spill.extents.free(0))).toMatchObject({ code: "ERR_SPILL" });
    spill.close();
  });

  it("keeps extents disjoint and below its limit", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 40_000 }), free: fc.nat() }), { maxLength: 60 }),
        (steps) => {
          const maxBytes = 200_000;
          const spill = SpillFile.create({ directory, maxBytes, direct: false });
          const live: { offset: number; bytes: number }[] = [];
          for (const { bytes, free } of steps) {
            try {
              live.push({ offset: spill.extents.allocate(bytes), bytes: Math.max(1, Math.ceil(bytes / 4096)) * 4096 });
            } catch (error) {
              expect(error).toMatchObject({ code: "ERR_SPILL" });
            }
            if (free % 3 === 0 && live.length > 0) spill.extents.free(live.splice(free % live.length, 1)[0]!.offset);
            const sorted = live.toSorted((a, b) => a.offset - b.offset);
            for (const [index, { offset }] of sorted.entries()) {
              const before = sorted[index - 1];
              expect(offset).toBeGreaterThanOrEqual(before === undefined ? 0 : before.offset + before.bytes);
            }
            expect(spill.extents.usedBytes).toBe(live.reduce((sum, extent) => sum + extent.bytes, 0));
            expect(spill.extents.fileBytes).toBeLessThanOrEqual(maxBytes);
          }
          for (const { offset } of live) spill.extents.free(offset);
          // All free again is one range: the whole limit fits.
          expect(spill.extents.allocate(48 * 4096)).toBe(0);
          spill.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  it("says what is in use when its limit is reached", () => {
    const spill = SpillFile.create({ directory, maxBytes: 8192 });
    spill.extents.allocate(8192);
    expect(failure(() => spill.extents.allocate(1))).toMatchObject({ code: "ERR_SPILL", details: { usedBytes: 8192 } });
    spill.close();
  });

  it("names a directory that is missing, a file, or takes no files, and leaks no descriptor", () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    const lowestFree = (): number => {
      const fd = openSync(file, "r");
      closeSync(fd);
      return fd;
    };
    const before = lowestFree();
    const missing = failure(() => SpillFile.create({ directory: join(directory, "missing") }));
    expect(missing).toMatchObject({ code: "ERR_SPILL", cause: { code: "ENOENT" } });
    expect(missing.message).toMatch(/missing.*create it first/);
    expect(failure(() => SpillFile.create({ directory: file })).message).toMatch(/expected a directory/);
    expect(failure(() => SpillFile.create({ directory: join(file, "below") }))).toMatchObject({
      cause: { code: "ENOTDIR" },
    });
    if (process.platform === "linux") {
      const proc = failure(() => SpillFile.create({ directory: "/proc" }));
      expect(proc.code).toBe("ERR_SPILL");
      expect(proc.cause).toBeInstanceOf(Error);
    }
    expect(lowestFree()).toBe(before);
    rmSync(file);
  });
});
