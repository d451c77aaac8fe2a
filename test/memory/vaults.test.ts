/** What every vault does, with a spill tier and without. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { performCopy } from "../../src/memory/file-copy.ts";
import { HostPool, type HostSlot } from "../../src/memory/host-pool.ts";
import { HostVault } from "../../src/memory/host-vault.ts";
import { QueueStream } from "../../src/memory/queue-stream.ts";
import { SHARED_SEGMENTS } from "../../src/memory/shared-segments.ts";
import { SpillFile } from "../../src/memory/spill-file.ts";
import { SpillVault } from "../../src/memory/spill-vault.ts";
import type { Parcel, Vault } from "../../src/memory/vault.ts";
import { KIB } from "../../src/units.ts";

const PAGE = 64 * KIB;
const directory = mkdtempSync(join(tmpdir(), "vdnn-vaults-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

function withSpill(pool: HostPool): Vault {
  const spill = SpillFile.create({ directory });
  const stream = new QueueStream({ name: "spill", perform: performCopy(spill) });
  return new SpillVault({ pool, spill, offloadStream: stream, now: () => 0 });
}

/** A vault, and a device that fills slots with sevens, or fails to, when the test says so. */
function setUp(make: (pool: HostPool) => Vault, pages = 4) {
  const vault = make(new HostPool({ capacityBytes: pages * PAGE, segments: SHARED_SEGMENTS }));
  let device = { resolve: (): void => undefined, reject: (_error: Error): void => undefined };
  const copied = new Promise<void>((resolve, reject) => (device = { resolve, reject }));
  const stream = new QueueStream<HostSlot>({
    name: "device",
    perform: async (slot) => {
      await copied;
      slot.view.fill(7);
    },
  });
  const putLater = (): Parcel => vault.putLater(PAGE, 1, (slot) => stream.submit(slot));
  return { vault, device, putLater };
}

describe.each([
  ["HostVault", (pool: HostPool): Vault => new HostVault(pool)],
  ["SpillVault", withSpill],
])("%s", (_name, make) => {
  it("opens what a device fills once it has arrived, and not before", async () => {
    const { vault, device, putLater } = setUp(make);
    const parcel = putLater();
    expect([parcel.tier, vault.isArriving(parcel)]).toEqual(["in-flight", true]);
    expect(() => vault.open(parcel)).toThrow(expect.objectContaining({ code: "ERR_STREAM" }));
    const arrival = vault.arrival(parcel);
    device.resolve();
    await arrival;
    expect(vault.isArriving(parcel)).toBe(false);
    expect(vault.open(parcel).view).toEqual(new Uint8Array(PAGE).fill(7));
    expect([parcel.tier, vault.arrival(parcel)]).toEqual(["host", null]);
    await vault.close();
  });

  it("counts the staging buffer as host memory until the data has arrived", async () => {
    const { vault, device, putLater } = setUp(make, 3);
    putLater();
    expect(vault.stats.hostBytes).toBe(2 * PAGE);
    expect(putLater).toThrow(expect.objectContaining({ code: "ERR_HOST_MEMORY" }));
    expect(vault.stats.hostBytes).toBe(2 * PAGE);
    device.resolve();
    await vault.arrivals();
    expect(vault.stats).toMatchObject({ hostBytes: PAGE, peakHostBytes: 3 * PAGE });
    await vault.close();
    expect(vault.stats.hostBytes).toBe(0);
  });

  it("keeps the slot of a released parcel until the device has filled it", async () => {
    const { vault, device, putLater } = setUp(make);
    vault.release(putLater());
    expect(vault.stats.hostBytes).toBe(2 * PAGE);
    device.resolve();
    await vault.arrivals();
    expect(vault.stats.hostBytes).toBe(0);
    await vault.close();
  });

  it("says what the device said when the bytes never come", async () => {
    const { vault, device, putLater } = setUp(make);
    const parcel = putLater();
    const arrival = vault.arrival(parcel);
    device.reject(new Error("device lost"));
    await expect(arrival).rejects.toThrow("device lost");
    await vault.arrivals();
    expect(() => vault.open(parcel)).toThrow("device lost");
    await vault.close();
  });

  it("gives the slot back when filling it fails", async () => {
    const { vault } = setUp(make);
    const loseDevice = (): never => {
      throw new Error("device lost");
    };
    expect(() => vault.put(10, 1, loseDevice)).toThrow("device lost");
    expect(() => vault.putLater(10, 1, loseDevice)).toThrow("device lost");
    expect(vault.stats.hostBytes).toBe(0);
    await vault.close();
  });

  it("takes nothing after close, and lets go of each parcel once", async () => {
    const { vault } = setUp(make);
    const parcel = vault.put(PAGE, 1, () => undefined);
    vault.release(parcel);
    for (const use of [vault.release, vault.open, vault.arrival, vault.isArriving]) {
      expect(() => use.call(vault, parcel)).toThrow(expect.objectContaining({ code: "ERR_DATA_DROPPED" }));
    }
    await Promise.all([vault.close(), vault.close()]);
    expect(() => vault.put(1, 1, () => undefined)).toThrow(expect.objectContaining({ code: "ERR_STREAM" }));
  });
});

it("a vault without a spill tier takes what fits, and says that there is none", async () => {
  const { vault } = setUp((pool) => new HostVault(pool), 1);
  const parcel = vault.put(PAGE, 1, () => undefined);
  vault.prefer(parcel, "spill");
  expect(parcel.tier).toBe("host");
  expect(vault.readAhead(parcel)).toBe(true);
  expect(() => vault.put(1, 1, () => undefined)).toThrow(/--host-memory or add --spill DIR/);
  expect(() => vault.put(2 * PAGE, 1, () => undefined)).toThrow(expect.objectContaining({ code: "ERR_HOST_MEMORY" }));
  await vault.close();
});
