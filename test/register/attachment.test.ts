/** When sessions begin and end, on an engine and with sessions that only remember. With TensorFlow.js: test/cli. */
import { describe, expect, test } from "vitest";
import { Attachment } from "../../src/register/attachment.ts";
import type { Engine } from "../../src/runtime/engine.ts";
import type { Session } from "../../src/runtime/session.ts";

class FakeEngine {
  readonly registry: Record<string, object> = { a: {}, b: {} };
  readonly registryFactory = this.registry;
  backendName = "a";
  get backendInstance(): object {
    return this.registry[this.backendName] as object;
  }
  get backend(): object {
    return this.backendInstance;
  }
  setBackend(name: string): Promise<boolean> {
    this.backendName = name;
    return Promise.resolve(true);
  }
  ready(): Promise<void> {
    return Promise.resolve();
  }
  gradients(): unknown {
    return "stock";
  }
}

/** @param awaited backends whose sessions have to be awaited */
function setUp(awaited: readonly string[]) {
  const engine = new FakeEngine();
  const log: string[] = [];
  let isFull = false;
  const begin = (): Session => {
    const name = engine.backendName;
    log.push(`${name} begins`);
    Object.assign(engine, { gradients: () => name });
    const dispose = async (): Promise<void> => {
      if (isFull) throw new Error(`${name} is full`);
      Reflect.deleteProperty(engine, "gradients");
      log.push(`${name} ends`);
    };
    return { dispose } as unknown as Session;
  };
  const attachment = new Attachment(engine as unknown as Engine, {
    awaits: () => awaited.includes(engine.backendName),
    canTrain: () => true,
    attach: begin,
    attachLater: () => Promise.resolve(begin()),
    notStarted: () => undefined,
  });
  attachment.install();
  const step = (): unknown => engine.gradients();
  return { engine, log, step, fill: (full: boolean) => void (isFull = full) };
}

describe.each([
  ["blocks", []],
  ["is awaited", ["a"]],
])("a backend that %s", (_kind, awaited) => {
  test("has its session until the script sets another", async () => {
    const { engine, log, step } = setUp(awaited);
    await engine.ready();
    expect(step()).toBe("a");
    await engine.setBackend("b");
    expect(step()).toBe("b");
    expect(log).toEqual(["a begins", "a ends", "b begins"]);
  });

  test("keeps its session where that cannot end, and the script is told; then it can be tried again", async () => {
    const { engine, log, step, fill } = setUp(awaited);
    await engine.ready();
    step();
    fill(true);
    await expect(engine.setBackend("b")).rejects.toThrow("a is full");
    await engine.setBackend("a");
    expect(step()).toBe("a");
    fill(false);
    await engine.setBackend("b");
    expect(step()).toBe("b");
    expect(log).toEqual(["a begins", "a ends", "b begins"]);
  });
});
