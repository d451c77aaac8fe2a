import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { performCopy } from "../../src/memory/file-copy.ts";
import { HostPool } from "../../src/memory/host-pool.ts";
import { SHARED_SEGMENTS } from "../../src/memory/shared-segments.ts";
import { QueueStream } from "../../src/memory/queue-stream.ts";
import { SpillFile } from "../../src/memory/spill-file.ts";

const directory = mkdtempSync(join(tmpdir(), "vdnn-queue-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe("QueueStream", () => {
  it("performs one command at a time, in order, and reaches events in that order", async () => {
    const log: string[] = [];
    const gate = new EventEmitter();
    const stream = new QueueStream<string>({
      name: "copies",
      perform: async (command) => {
        log.push(`start ${command}`);
        if (command === "b") await once(gate, "open");
        log.push(`end ${command}`);
      },
    });
    const first = stream.submit("a");
    const second = stream.submit("b");
    expect(first.isReached).toBe(false);
    await first.done();
    expect([first.isReached, second.isReached]).toEqual([true, false]);
    gate.emit("open");
    await stream.close();
    expect(log).toEqual(["start a", "end a", "start b", "end b"]);
    expect(() => stream.submit("c")).toThrow(expect.objectContaining({ code: "ERR_STREAM" }));
  });

  it("cannot block, and says so", async () => {
    const stream = new QueueStream<null>({ name: "copies", perform: () => Promise.resolve() });
    const event = stream.submit(null);
    expect(() => event.wait()).toThrow(expect.objectContaining({ code: "ERR_STREAM" }));
    await event.done();
    event.wait();
    stream.submit(null);
    await stream.close();
  });

  it("keeps an error for whoever asks, and lets none escape", async () => {
    const stream = new QueueStream<number>({
      name: "copies",
      perform: (command) => (command === 0 ? Promise.reject(new Error("broken")) : Promise.resolve()),
    });
    const event = stream.submit(0);
    await stream.submit(1).done();
    await stream.close();
    expect(event.isReached).toBe(true);
    expect(() => event.wait()).toThrow("broken");
    await expect(event.done()).rejects.toThrow("broken");
  });
});

describe("performCopy", () => {
  it("writes a slot and reads it back", async () => {
    const spill = SpillFile.create({ directory });
    const pool = new HostPool({ capacityBytes: 2 ** 24, segments: SHARED_SEGMENTS });
    const from = pool.allocate(70_001)!;
    const to = pool.allocate(70_001)!;
    from.view.forEach((_, index) => (from.view[index] = index));
    const stream = new QueueStream({ name: "spill", perform: performCopy(spill) });
    stream.submit({ kind: "write", fileOffset: 4096, slot: from });
    await stream.submit({ kind: "read", fileOffset: 4096, slot: to }).done();
    expect(Buffer.compare(from.view, to.view)).toBe(0);
    const early = stream.submit({ kind: "read", fileOffset: 2 ** 30, slot: to });
    await expect(early.done()).rejects.toMatchObject({ code: "ERR_SPILL" });
    await stream.close();
    spill.close();
  });
});
