/** Programs that read tensors which are away, and can wait for them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cpuAdapter } from "../../src/backends/cpu.ts";
import { loadTensorFlow } from "../../src/backends/load.ts";
import { performCopy } from "../../src/memory/file-copy.ts";
import { HostPool } from "../../src/memory/host-pool.ts";
import { QueueStream } from "../../src/memory/queue-stream.ts";
import { ARRAY_SEGMENTS } from "../../src/memory/segments.ts";
import { SpillFile } from "../../src/memory/spill-file.ts";
import { SpillVault } from "../../src/memory/spill-vault.ts";
import { engineOf } from "../../src/runtime/engine.ts";
import { Meter } from "../../src/runtime/meter.ts";
import { Residency } from "../../src/runtime/residency.ts";
import { KIB } from "../../src/units.ts";

const BYTES = 64 * KIB;
const directory = mkdtempSync(join(tmpdir(), "vdnn-readers-"));
afterAll(() => rmSync(directory, { recursive: true }));

function never(): never {
  throw new Error("the device has room for everything");
}

test("read at once, tensors come one after the other from a spill tier that has to be awaited", async () => {
  const { tf } = await loadTensorFlow("cpu");
  const engine = engineOf(tf);
  const now = (): number => performance.now();
  const pool = new HostPool({ capacityBytes: BYTES, segments: ARRAY_SEGMENTS });
  const spill = SpillFile.create({ directory, direct: false });
  const stream = (name: string) => new QueueStream({ name, perform: performCopy(spill) });
  const vault = new SpillVault({
    pool,
    spill,
    offloadStream: stream("offload"),
    prefetchStream: stream("prefetch"),
    now,
  });
  const meter = new Meter(now, null);
  const residency = new Residency({
    engine,
    adapter: cpuAdapter(engine.backend),
    vault,
    meter,
    budgetBytes: Number.POSITIVE_INFINITY,
    offloadStream: null,
    chooseVictim: () => null,
    nextUse: () => 0,
    rebuild: never,
    missed: never,
    outlivesStep: () => false,
    outOfMemory: never,
    tooLarge: never,
    refused: never,
  });
  residency.install();
  const tensors = [1, 2, 3].map((value) => tf.mul(tf.ones([BYTES / 4]), value));
  for (const [i, { dataId }] of tensors.entries()) {
    residency.transfers.offload(residency.ledger.entry(dataId)!.block, i);
    // Makes room on the host for the next one.
    vault.unclaim();
    await vault.writeBehind();
  }
  const values = await Promise.all(tensors.map((tensor) => tensor.data()));
  expect(values.map(([first]) => first)).toEqual([1, 2, 3]);
  expect(vault.stats.spillReadBytes).toBeGreaterThan(0);
  tf.dispose(tensors);
  residency.uninstall();
  await vault.close();
});
