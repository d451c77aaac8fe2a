import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CopyCommand, CopySpan } from "../../src/memory/copy.ts";
import { HostPool } from "../../src/memory/host-pool.ts";
import { SHARED_SEGMENTS } from "../../src/memory/shared-segments.ts";
import { SpillFile } from "../../src/memory/spill-file.ts";
import { WorkerStream } from "../../src/memory/worker-stream.ts";
import { KIB, MIB } from "../../src/units.ts";

const directory = mkdtempSync(join(tmpdir(), "vdnn-stream-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

let pool: HostPool;
let spill: SpillFile;
let stream: WorkerStream;
const spans: CopySpan[] = [];

beforeEach(() => {
  spans.length = 0;
  pool = new HostPool({ capacityBytes: 64 * MIB, segmentBytes: MIB, segments: SHARED_SEGMENTS });
  spill = SpillFile.create({ directory });
  stream = new WorkerStream({ name: "offload", file: spill, capacity: 4, onSpan: (span) => spans.push(span) });
});
afterEach(async () => {
  await stream.close();
  spill.close();
});

function command(kind: "write" | "read", bytes: number, fileOffset: number): CopyCommand {
  return { kind, fileOffset, slot: pool.allocate(bytes)! };
}

describe("WorkerStream", () => {
  it("starts and copies while the submitting thread is blocked", () => {
    const write = command("write", 100_000, 0);
    write.slot.view.fill(42);
    stream.submit(write).wait();
    const read = command("read", 100_000, 0);
    const event = stream.submit(read);
    event.wait();
    expect(event.isReached).toBe(true);
    expect(read.slot.view.every((byte) => byte === 42)).toBe(true);
    expect(stream.bytesMoved).toBe(200_000);
  });

  it("works on in order through a full ring and over segments that appear later", () => {
    const offsets = Array.from({ length: 24 }, () => spill.extents.allocate(300 * KIB));
    const events = offsets.map((fileOffset, index) => {
      const write = command("write", 300 * KIB, fileOffset);
      write.slot.view.fill(index + 1);
      return stream.submit(write);
    });
    events.at(-1)!.wait();
    expect(events.every((event) => event.isReached)).toBe(true);
    expect(pool.memories.length).toBeGreaterThan(5);
    for (const [index, fileOffset] of offsets.entries()) {
      const read = command("read", 300 * KIB, fileOffset);
      stream.submit(read).wait();
      expect(read.slot.view[0]).toBe(index + 1);
      expect(read.slot.view.at(-1)).toBe(index + 1);
    }
    expect(spans).toHaveLength(48);
    const inOrder = spans.every((span, index) => index === 0 || span.startMs >= spans[index - 1]!.endMs);
    expect(inOrder).toBe(true);
    expect(spans.at(-1)!.endMs).toBeLessThanOrEqual(performance.now());
    expect(spans[0]!.startMs).toBeGreaterThan(performance.now() - 60_000);
  });

  it("writes and reads on two streams at once", () => {
    const prefetch = new WorkerStream({ name: "prefetch", file: spill });
    const first = command("write", MIB / 2, 0);
    first.slot.view.fill(1);
    stream.submit(first).wait();
    const back = command("read", MIB / 2, 0);
    const second = command("write", MIB / 2, MIB);
    const events = [stream.submit(second), prefetch.submit(back)];
    for (const event of events) event.wait();
    expect(back.slot.view.at(-1)).toBe(1);
    // Closing later ones while a stream is idle must not hang either.
    return prefetch.close();
  });

  it("gives a failed copy its own error and goes on", async () => {
    const early = stream.submit(command("read", 10, 2 ** 40));
    const good = stream.submit(command("write", 10, 0));
    good.wait();
    expect(early.isReached).toBe(true);
    const error = { code: "ERR_SPILL", message: expect.stringContaining(spill.path), cause: expect.anything() };
    expect(() => early.wait()).toThrow(expect.objectContaining(error));
    await expect(early.done()).rejects.toMatchObject({ code: "ERR_SPILL" });
    expect(() => early.wait()).toThrow(/ended early/);
    expect(stream.bytesMoved).toBe(10);
  });

  it.runIf(process.platform === "linux")("says that the disk is full", async () => {
    const full = { fd: openSync("/dev/full", "w"), path: "/dev/full" };
    const onFull = new WorkerStream({ name: "full", file: full });
    const event = onFull.submit(command("write", 10, 0));
    expect(() => event.wait()).toThrow(
      expect.objectContaining({
        code: "ERR_SPILL",
        message: expect.stringContaining("disk is full"),
        cause: expect.objectContaining({ code: "ENOSPC" }),
      }),
    );
    await onFull.close();
    closeSync(full.fd);
  });

  it("resolves done without blocking, for several waiters", async () => {
    const events = [0, 1, 2].map((index) => stream.submit(command("write", MIB / 2, index * MIB)));
    await Promise.all(events.map((event) => event.done()));
    expect(events.every((event) => event.isReached)).toBe(true);
  });

  it("reports a dead thread instead of hanging", async () => {
    const event = stream.submit({ ...command("write", 10, 0), kind: "unknown" as "write" });
    expect(() => event.wait()).toThrow(expect.objectContaining({ code: "ERR_STREAM" }));
    expect(event.isReached).toBe(false);
    await expect(event.done()).rejects.toMatchObject({ code: "ERR_STREAM" });
    await stream.close();
    expect(() => stream.submit(command("write", 10, 0))).toThrow(/after close/);
  });

  it("drains on close", async () => {
    const events = [0, 1, 2].map((index) => stream.submit(command("write", MIB / 2, index * MIB)));
    await stream.close();
    await stream.close();
    expect(events.every((event) => event.isReached)).toBe(true);
  });
});

/** Leaves a stream open, idle or with copies under way, and blocks before the event loop ever runs. */
function script(module: (name: string) => string, end: string): string {
  return `
    import { HostPool } from ${JSON.stringify(module("host-pool"))};
    import { SHARED_SEGMENTS } from ${JSON.stringify(module("shared-segments"))};
    import { SpillFile } from ${JSON.stringify(module("spill-file"))};
    import { WorkerStream } from ${JSON.stringify(module("worker-stream"))};
    const pool = new HostPool({ capacityBytes: 2 ** 26, segments: SHARED_SEGMENTS });
    const spill = SpillFile.create({ directory: ${JSON.stringify(directory)} });
    const stream = new WorkerStream({ name: "left open", file: spill });
    const write = { kind: "write", fileOffset: 0, slot: pool.allocate(2 ** 22) };
    stream.submit(write).wait();
    console.log("copied");
    ${end}
  `;
}

function run(source: string, flags: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const options = { encoding: "utf8", timeout: 30_000, env: { ...process.env, ...env } } as const;
  return spawnSync(process.execPath, [...flags, "--input-type=module", "-e", source], options);
}

function fromSource(name: string): string {
  return resolve(`src/memory/${name}.ts`);
}

describe("a process with an open WorkerStream", () => {
  const tsx = ["--import", "tsx"];

  it("ends by itself, and keeps its exit code", () => {
    const idle = run(script(fromSource, ""), tsx);
    expect(idle).toMatchObject({ status: 0, stdout: "copied\n", stderr: "" });
    const busy = run(script(fromSource, "for (let i = 0; i < 50; i++) stream.submit(write); process.exit(7);"), tsx);
    expect(busy).toMatchObject({ status: 7, stdout: "copied\n", stderr: "" });
    const failed = run(script(fromSource, "stream.submit(write); throw new Error('mine');"), tsx);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("mine");
  });

  it("stays alive while done is awaited", () => {
    const end =
      "for (let i = 0; i < 50; i++) stream.submit(write); await stream.submit(write).done(); console.log('done');";
    expect(run(script(fromSource, end), tsx)).toMatchObject({ status: 0, stdout: "copied\ndone\n" });
  });

  it("runs compiled, whatever NODE_OPTIONS preload", () => {
    const out = join(directory, "dist");
    const flags = "--ignoreConfig --target es2023 --module nodenext --types node --skipLibCheck --rootDir src";
    const files = ["src/memory/worker-stream.ts", "src/memory/spill-file.ts"];
    const all = [...flags.split(" "), "--rewriteRelativeImportExtensions", "--outDir", out, ...files];
    execFileSync("node_modules/.bin/tsc", all);
    const preload = join(directory, "preload.mjs");
    writeFileSync(preload, 'import { isMainThread } from "node:worker_threads"; if (!isMainThread) process.exit(3);');
    writeFileSync(join(out, "package.json"), '{ "type": "module" }');
    const source = script((name) => join(out, `memory/${name}.js`), "await stream.close();");
    const result = run(source, [], { NODE_OPTIONS: `--import=${preload} --no-warnings` });
    expect(result).toMatchObject({ status: 0, stdout: "copied\n", stderr: "" });
  });
});
