import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { CopyCommand } from "../../src/memory/copy.ts";
import { performCopy } from "../../src/memory/file-copy.ts";
import { HostPool, type HostSlot } from "../../src/memory/host-pool.ts";
import { SHARED_SEGMENTS } from "../../src/memory/shared-segments.ts";
import { QueueStream } from "../../src/memory/queue-stream.ts";
import { SpillFile } from "../../src/memory/spill-file.ts";
import { SpillVault } from "../../src/memory/spill-vault.ts";
import type { Stream } from "../../src/memory/stream.ts";
import type { Parcel } from "../../src/memory/vault.ts";
import { WorkerStream } from "../../src/memory/worker-stream.ts";
import { KIB } from "../../src/units.ts";
import { LazyStream } from "./lazy-stream.ts";

const PAGE = 64 * KIB;
const directory = mkdtempSync(join(tmpdir(), "vdnn-vault-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** A vault over a pool of `pages` and two streams that run only when waited for or told to. */
function setUp(pages: number, { highWater = 1, maxBytes = Infinity } = {}) {
  const pool = new HostPool({ capacityBytes: pages * PAGE, segments: SHARED_SEGMENTS });
  const spill = SpillFile.create({ directory, maxBytes });
  const offload = new LazyStream("offload", spill);
  const prefetch = new LazyStream("prefetch", spill);
  let clockMs = 0;
  const now = (): number => (clockMs += 1);
  const vault = new SpillVault({ pool, spill, offloadStream: offload, prefetchStream: prefetch, now, highWater });
  const put = (bytes: number, nextUse: number): Parcel =>
    vault.put(bytes, nextUse, ({ view }) => view.set(contents(bytes, nextUse)));
  return { pool, spill, offload, prefetch, vault, put };
}

const PATTERN = Uint8Array.from({ length: 3 * PAGE }, (_, index) => (index * 7 + (index >> 8) * 3) & 255);

/** Differs between seeds at almost every byte. */
function contents(bytes: number, seed: number): Uint8Array {
  const start = (seed * 37) % PAGE;
  return PATTERN.subarray(start, start + bytes);
}

function expectContents(view: Uint8Array, bytes: number, seed: number): void {
  expect(Buffer.compare(view, contents(bytes, seed))).toBe(0);
}

function loseDevice(): void {
  throw new Error("device lost");
}

describe("SpillVault", () => {
  it("evicts who is needed last, waits for room, and reads it back", async () => {
    const { vault, put, offload, pool } = setUp(3);
    const [late, soon, later] = [put(PAGE, 9), put(PAGE, 1), put(PAGE, 5)];
    expect(vault.stats).toMatchObject({ hostBytes: 3 * PAGE, spillBytes: 0, stallMs: 0 });
    const fourth = put(PAGE, 7);
    expect([late.tier, soon.tier, later.tier, fourth.tier]).toEqual(["spill", "host", "host", "host"]);
    expect(vault.stats.stallMs).toBeGreaterThan(0);
    expect(offload.log).toHaveLength(1);
    expectContents(vault.open(late).view, PAGE, 9);
    expect(fourth.tier).toBe("spill");
    expect(vault.stats).toMatchObject({ spillWriteBytes: 2 * PAGE, spillReadBytes: PAGE, peakHostBytes: 3 * PAGE });
    await vault.close();
    await vault.close();
    expect(pool.usedBytes).toBe(0);
    expect(() => put(1, 1)).toThrow(expect.objectContaining({ code: "ERR_STREAM" }));
  });

  it("writes early above the high-water mark, so that room costs no wait", () => {
    const { vault, put, offload } = setUp(4, { highWater: 0.5 });
    const parcels = [9, 8, 7, 6].map((nextUse) => put(PAGE, nextUse));
    expect(offload.log).toHaveLength(0);
    offload.tick(2);
    expect(offload.log).toHaveLength(2);
    expect(parcels.map((parcel) => parcel.tier)).toEqual(["host", "host", "host", "host"]);
    put(2 * PAGE, 5);
    expect(parcels.map((parcel) => parcel.tier)).toEqual(["spill", "spill", "host", "host"]);
    expect(vault.stats.stallMs).toBe(0);
    return vault.close();
  });

  it("reads ahead only into free room, and takes it back without a write when room is needed", () => {
    const { vault, put, offload, prefetch } = setUp(2);
    const first = put(PAGE, 9);
    vault.prefer(first, "spill");
    expect(first.tier).toBe("in-flight");
    expect(vault.readAhead(first)).toBe(true);
    expect(first.tier).toBe("host");
    vault.prefer(first, "spill");
    offload.tick(1);
    const others = [put(PAGE, 1), put(PAGE, 2)];
    expect(first.tier).toBe("spill");
    expect(vault.readAhead(first)).toBe(false);
    vault.release(others[0]!);
    expect(vault.readAhead(first)).toBe(true);
    expect(vault.readAhead(first)).toBe(true);
    expect(first.tier).toBe("in-flight");
    prefetch.tick(1);
    vault.open(others[1]!);
    put(PAGE, 3);
    expect(first.tier).toBe("spill");
    expect(offload.log).toHaveLength(1);
    return vault.close();
  });

  it("gives slot and extent of a released parcel back only after the copy on them has ended", () => {
    const { vault, put, offload, pool, spill } = setUp(2);
    const first = put(PAGE, 9);
    vault.prefer(first, "spill");
    vault.release(first);
    expect([pool.usedBytes, spill.extents.usedBytes]).toEqual([PAGE, PAGE]);
    offload.tick(1);
    const second = put(PAGE, 1);
    expect([pool.usedBytes, spill.extents.usedBytes]).toEqual([PAGE, 0]);
    expect(() => vault.release(first)).toThrow(expect.objectContaining({ code: "ERR_DATA_DROPPED" }));
    expect(() => vault.open(first)).toThrow(/not released/);
    vault.release(second);
    expect(pool.usedBytes).toBe(0);
    return vault.close();
  });

  it("keeps an opened slot in place while others are put, until the next open", () => {
    const { vault, put } = setUp(2);
    const parcel = put(PAGE, 9);
    const { view } = vault.open(parcel);
    for (const nextUse of [1, 2, 3]) put(PAGE, nextUse);
    expectContents(view, PAGE, 9);
    expect(() => put(2 * PAGE, 1)).toThrow(expect.objectContaining({ code: "ERR_HOST_MEMORY" }));
    vault.prefer(parcel, "host");
    put(2 * PAGE, 1);
    expect(parcel.tier).toBe("spill");
    return vault.close();
  });

  it("gives the slot back when filling it fails", () => {
    const { vault, pool } = setUp(1);
    expect(() => vault.put(10, 1, loseDevice)).toThrow("device lost");
    expect(pool.usedBytes).toBe(0);
    return vault.close();
  });

  it("goes on in host memory when the disk is full, and says so when that is full too", () => {
    const { vault, put, offload } = setUp(2);
    offload.failure = "ENOSPC";
    const parcels = [put(PAGE, 9), put(PAGE, 8)];
    expect(() => put(PAGE, 1)).toThrow(
      expect.objectContaining({
        code: "ERR_HOST_MEMORY",
        message: expect.stringMatching(/needs 64 KiB of host memory but 0 B of 128 KiB is free and the spill tier/),
        cause: expect.objectContaining({ code: "ERR_SPILL" }),
      }),
    );
    expect(parcels.map((parcel) => parcel.tier)).toEqual(["host", "host"]);
    expectContents(vault.open(parcels[0]!).view, PAGE, 9);
    vault.release(parcels[1]!);
    put(PAGE, 2);
    return vault.close();
  });

  it("keeps the extent when reading it back fails, and reads it again", () => {
    const { vault, put, prefetch, pool } = setUp(2);
    const parcel = put(PAGE, 9);
    vault.prefer(parcel, "spill");
    vault.open(put(2 * PAGE, 1));
    prefetch.failure = "EIO";
    expect(parcel.tier).toBe("spill");
    expect(() => vault.open(parcel)).toThrow(
      expect.objectContaining({ code: "ERR_SPILL", details: expect.anything() }),
    );
    expect(parcel.tier).toBe("spill");
    expect(pool.usedBytes).toBe(0);
    prefetch.failure = undefined;
    expectContents(vault.open(parcel).view, PAGE, 9);
    return vault.close();
  });
});

const step = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant("put" as const), fc.integer({ min: 0, max: 80_000 })) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("open" as const), fc.nat(5)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("regret" as const), fc.nat(5)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("readAhead" as const), fc.nat(5)) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom("spill" as const, "host" as const), fc.nat(5)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("release" as const), fc.nat(5)) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom("tickOffload" as const, "tickPrefetch" as const), fc.nat(3)) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom("breakDisk" as const, "mendDisk" as const), fc.nat()) },
);

interface Rig {
  readonly streams: (file: SpillFile) => readonly [Stream<CopyCommand>, Stream<CopyCommand>];
  readonly highWater: number;
  readonly maxBytes: number;
  /** Host memory may run out: the spill tier is limited or breaks. */
  readonly mayFail: boolean;
}

/** Runs the steps against a map of what was put; every byte must come back, and nothing may leak. */
async function runModel(steps: readonly (readonly [string, number])[], rig: Rig): Promise<void> {
  const pool = new HostPool({ capacityBytes: 4 * PAGE, segments: SHARED_SEGMENTS });
  const spill = SpillFile.create({ directory, maxBytes: rig.maxBytes });
  const [offloadStream, prefetchStream] = rig.streams(spill);
  const { highWater } = rig;
  const vault = new SpillVault({ pool, spill, offloadStream, prefetchStream, highWater, now: () => performance.now() });
  const live: { parcel: Parcel; seed: number }[] = [];
  const attempt = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      if (!rig.mayFail) throw error;
      expect(error).toMatchObject({ code: "ERR_HOST_MEMORY" });
    }
  };
  const openAndCheck = ({ parcel, seed }: (typeof live)[number]): void =>
    attempt(() => expectContents(vault.open(parcel).view, parcel.bytes, seed));
  let seed = 0;
  for (const [action, argument] of steps) {
    if (action === "put") {
      seed += 1;
      const nextUse = (seed * 7919) % 101;
      const own = seed;
      attempt(() => {
        const parcel = vault.put(argument, nextUse, ({ view }) => view.set(contents(argument, own)));
        live.push({ parcel, seed: own });
      });
    }
    if (offloadStream instanceof LazyStream && prefetchStream instanceof LazyStream) {
      if (action === "tickOffload") offloadStream.tick(argument);
      if (action === "tickPrefetch") prefetchStream.tick(argument);
      if (action === "breakDisk" && rig.mayFail) offloadStream.failure = "ENOSPC";
      if (action === "mendDisk") offloadStream.failure = undefined;
    }
    const index = argument % Math.max(1, live.length);
    const chosen = live[index];
    if (chosen === undefined) continue;
    if (action === "open") openAndCheck(chosen);
    if (action === "readAhead" || action === "regret") {
      // Spilled ones are the interesting ones; to regret is to release while the copy is still under way.
      const spilled = live.filter(({ parcel }) => parcel.tier === "spill");
      const target = spilled[argument % Math.max(1, spilled.length)];
      if (target !== undefined && vault.readAhead(target.parcel) && action === "regret") {
        vault.release(target.parcel);
        live.splice(live.indexOf(target), 1);
      }
      continue;
    }
    if (action === "spill" || action === "host") vault.prefer(chosen.parcel, action);
    if (action === "release") {
      vault.release(chosen.parcel);
      live.splice(index, 1);
    }
    expect(pool.footprintBytes).toBeLessThanOrEqual(pool.capacityBytes);
  }
  for (const item of live.splice(0).reverse()) {
    openAndCheck(item);
    vault.release(item.parcel);
  }
  await vault.close();
  expect([vault.stats.hostBytes, vault.stats.spillBytes]).toEqual([0, 0]);
}

describe("SpillVault against a map", () => {
  it("returns every byte when copies run as late as they can", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 120 }),
        fc.constantFrom(0, 0.5, 1),
        (steps, highWater) =>
          runModel(steps, {
            streams: (file) => [new LazyStream("offload", file), new LazyStream("prefetch", file)],
            highWater,
            maxBytes: Infinity,
            mayFail: false,
          }),
      ),
      { numRuns: 200 },
    );
  });

  it("loses nothing on a spill tier that is small and breaks", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 120 }),
        fc.constantFrom(0, 0.5, 1),
        (steps, highWater) =>
          runModel(steps, {
            streams: (file) => [new LazyStream("offload", file), new LazyStream("prefetch", file)],
            highWater,
            maxBytes: 6 * PAGE,
            mayFail: true,
          }),
      ),
      { numRuns: 100 },
    );
  });

  it("returns every byte over two worker threads", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 60, maxLength: 200 }), fc.constantFrom(0, 0.5), (steps, highWater) =>
        runModel(steps, {
          streams: (file) => [
            new WorkerStream({ name: "offload", file }),
            new WorkerStream({ name: "prefetch", file, capacity: 2 }),
          ],
          highWater,
          maxBytes: Infinity,
          mayFail: false,
        }),
      ),
      { numRuns: 15 },
    );
  });
});

describe("SpillVault over streams that can only be awaited", () => {
  it("returns every byte of what was awaited, and never blocks", async () => {
    const put = fc.record({ put: fc.integer({ min: 1, max: 2 * PAGE }), nextUse: fc.nat(9) });
    const use = fc.record({ use: fc.nat(5) });
    const leave = fc.record({ leave: fc.nat(5) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(put, use, leave), { minLength: 10, maxLength: 60 }),
        fc.constantFrom(0, 0.5, 1),
        async (steps, highWater) => {
          const pool = new HostPool({ capacityBytes: 4 * PAGE, segments: SHARED_SEGMENTS });
          const spill = SpillFile.create({ directory });
          const stream = (name: string) => new QueueStream({ name, perform: performCopy(spill) });
          const [offloadStream, prefetchStream] = [stream("offload"), stream("prefetch")];
          const vault = new SpillVault({ pool, spill, offloadStream, prefetchStream, highWater, now: () => 0 });
          const live: { parcel: Parcel; seed: number }[] = [];
          for (const [seed, action] of steps.entries()) {
            vault.unclaim();
            if ("put" in action) {
              await vault.writeBehind();
              try {
                const fill = ({ view }: HostSlot): void => view.set(contents(action.put, seed));
                live.push({ parcel: vault.put(action.put, action.nextUse, fill), seed });
              } catch (error) {
                // Nothing but a wait makes room, and the high-water mark may have asked for none.
                expect(error).toMatchObject({ code: "ERR_HOST_MEMORY" });
              }
            } else if ("use" in action && live.length > 0) {
              const { parcel, seed: own } = live[action.use % live.length]!;
              await vault.arrival(parcel);
              expect(vault.isArriving(parcel)).toBe(false);
              expectContents(vault.open(parcel).view, parcel.bytes, own);
              vault.prefer(parcel, "host");
            } else if ("leave" in action && live.length > 0) {
              vault.prefer(live[action.leave % live.length]!.parcel, "spill");
            }
          }
          for (const { parcel, seed } of live) {
            vault.unclaim();
            await vault.arrival(parcel);
            expectContents(vault.open(parcel).view, parcel.bytes, seed);
            vault.prefer(parcel, "host");
          }
          await vault.close();
          expect([pool.usedBytes, spill.extents.usedBytes]).toEqual([0, 0]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("says that a parcel on the spill tier has to be awaited", async () => {
    const { pool, spill } = setUp(1);
    const stream = new QueueStream({ name: "spill", perform: performCopy(spill) });
    const vault = new SpillVault({ pool, spill, offloadStream: stream, now: () => 0 });
    const parcel = vault.put(PAGE, 1, ({ view }) => view.set(contents(PAGE, 1)));
    vault.prefer(parcel, "spill");
    await vault.writeBehind();
    expect([parcel.tier, vault.isArriving(parcel)]).toEqual(["spill", true]);
    const stays = vault.put(PAGE, 1, () => undefined, true);
    vault.prefer(stays, "spill");
    await expect(vault.arrival(parcel)).rejects.toMatchObject({ code: "ERR_HOST_MEMORY" });
    expect(stays.tier).toBe("host");
    vault.release(stays);
    await vault.arrival(parcel);
    expectContents(vault.open(parcel).view, PAGE, 1);
    await vault.close();
  });

  it("says that the spill tier is full, where it has to be awaited too", async () => {
    const { pool, spill } = setUp(1, { maxBytes: 0 });
    const stream = new QueueStream({ name: "spill", perform: performCopy(spill) });
    const vault = new SpillVault({ pool, spill, offloadStream: stream, now: () => 0 });
    vault.put(PAGE, 1, () => undefined);
    expect(() => vault.put(PAGE, 2, () => undefined)).toThrow(/the spill tier takes no more/);
    await vault.close();
  });
});
