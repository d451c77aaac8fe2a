/** Waiting for data on behalf of kernels that cannot. */
import { describe, expect, it } from "vitest";
import { VdnnError } from "../../src/errors.ts";
import { type ArrivalTable, Arrivals } from "../../src/runtime/arrivals.ts";
import { type Block, newBlock } from "../../src/runtime/block.ts";

const FULL = new VdnnError("ERR_HOST_MEMORY", "host memory is full");

/** Blocks away on a spill tier, behind host memory for `slots` of them and a device with room for `room` more. */
function setUp({ slots, room }: { readonly slots: number; readonly room: number }) {
  const blocks = [0, 1, 2, 3].map((id): Block => ({ ...newBlock(id, 0, {}, [4], "float32"), residency: "away" }));
  const onHost = new Set<Block>();
  let left = room;
  const table: ArrivalTable = {
    transfers: {
      isArriving: (block) => block.residency === "away" && !onHost.has(block),
      arrival(block) {
        if (block.residency !== "away" || onHost.has(block)) return null;
        if (onHost.size === slots) return Promise.reject(FULL);
        onHost.add(block);
        return Promise.resolve();
      },
    },
    ensure(block) {
      if (left === 0) throw new VdnnError("ERR_OUT_OF_MEMORY", "the device is full");
      left--;
      onHost.delete(block);
      block.residency = "device";
    },
  };
  return { arrivals: new Arrivals(table), blocks, onHost };
}

describe("Arrivals", () => {
  it("fetches what is needed to the host, and leaves it there", async () => {
    const { arrivals, blocks, onHost } = setUp({ slots: 4, room: 0 });
    await arrivals.need(() => blocks);
    expect(onHost.size).toBe(4);
  });

  it("moves it on to the device where host memory is too small for all of it", async () => {
    const { arrivals, blocks, onHost } = setUp({ slots: 1, room: 3 });
    await arrivals.need(() => blocks);
    expect(blocks.map(({ residency }) => residency)).toEqual(["device", "device", "device", "away"]);
    expect(onHost.size).toBe(1);
  });

  it("fails where neither has room, but not for what it only wants", async () => {
    const { arrivals, blocks, onHost } = setUp({ slots: 2, room: 1 });
    await arrivals.want(() => blocks);
    expect(onHost.size).toBe(2);
    await expect(arrivals.need(() => blocks)).rejects.toBe(FULL);
  });

  it("passes on what a copy failed with", async () => {
    const { blocks } = setUp({ slots: 0, room: 0 });
    const lost = new VdnnError("ERR_BACKEND", "the device was lost");
    const arrivals = new Arrivals({
      transfers: { isArriving: () => true, arrival: () => Promise.reject(lost) },
      ensure: () => undefined,
    });
    await expect(arrivals.want(() => blocks)).rejects.toBe(lost);
    await expect(arrivals.need(() => blocks)).rejects.toBe(lost);
  });
});
