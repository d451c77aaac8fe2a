import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CopyCommand, CopySpan } from "../../src/memory/copy.ts";
import { HostPool } from "../../src/memory/host-pool.ts";
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
  pool = new HostPool({ capacityBytes: 64 * MIB, segmentBytes: MIB });
  spill = SpillFile.create({ directory });
  stream = new WorkerStream({ name: "offload", capacity: 4, onSpan: (span) => spans.push(span) });
});
afterEach(async () => {
  await stream.close();
  spill.close();
});

function command(kind: "write" | "read", bytes: number, fileOffset: number, fd = spill.fd): CopyCommand {
  return { kind, fd, fileOffset, slot: pool.allocate(bytes)! };
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
    const offsets = Array.from({ length: 24 }, () => spill.allocate(300 * KIB));
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
    const prefetch = new WorkerStream({ name: "prefetch" });
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
    const bad = stream.submit(command("write", 10, 0, 9999));
    const early = stream.submit(command("read", 10, 2 ** 40));
    const good = stream.submit(command("write", 10, 0));
    good.wait();
    expect(bad.isReached).toBe(true);
    expect(() => bad.wait()).toThrow(expect.objectContaining({ code: "ERR_SPILL", cause: expect.anything() }));
    await expect(bad.done()).rejects.toMatchObject({ code: "ERR_SPILL", cause: { code: "EBADF" } });
    expect(() => early.wait()).toThrow(/ended early/);
    expect(stream.bytesMoved).toBe(10);
  });

  it.runIf(process.platform === "linux")("says that the disk is full", () => {
    const fd = openSync("/dev/full", "w");
    const event = stream.submit(command("write", 10, 0, fd));
    expect(() => event.wait()).toThrow(
      expect.objectContaining({
        code: "ERR_SPILL",
        message: expect.stringContaining("disk is full"),
        cause: expect.objectContaining({ code: "ENOSPC" }),
      }),
    );
    closeSync(fd);
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
    import { SpillFile } from ${JSON.stringify(module("spill-file"))};
    import { WorkerStream } from ${JSON.stringify(module("worker-stream"))};
    const pool = new HostPool({ capacityBytes: 2 ** 26 });
    const spill = SpillFile.create({ directory: ${JSON.stringify(directory)} });
    const stream = new WorkerStream({ name: "left open" });
    const write = { kind: "write", fd: spill.fd, fileOffset: 0, slot: pool.allocate(2 ** 22) };
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
