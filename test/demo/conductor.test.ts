/** Runs one after the other, each with a worker of its own, on workers that only play. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Conductor, type Port } from "../../demo/src/page/conductor.ts";
import type { Message, Request, StartRequest } from "../../demo/src/protocol.ts";
import { defaultSettings } from "../../demo/src/settings.ts";
import { MEMORY, step, wholeRun } from "./runs.ts";

const SETTINGS = { ...defaultSettings("processor"), budget: "25%", steps: 2 };

class PlayedWorker implements Port {
  readonly requests: Request[] = [];
  isTerminated = false;
  readonly #play: (request: StartRequest) => readonly Message[];
  readonly #listeners = new Map<string, (event: never) => void>();

  constructor(play: (request: StartRequest) => readonly Message[]) {
    this.#play = play;
  }

  addEventListener(type: "message" | "error", listener: (event: never) => void): void {
    this.#listeners.set(type, listener);
  }

  postMessage(request: Request): void {
    this.requests.push(request);
    if (request.kind === "start") queueMicrotask(() => this.tell(this.#play(request)));
  }

  tell(messages: readonly Message[]): void {
    for (const data of messages) this.#listeners.get("message")?.({ data } as never);
  }

  die(message: string): void {
    this.#listeners.get("error")?.({ message } as never);
  }

  terminate(): void {
    this.isTerminated = true;
  }
}

const workers: PlayedWorker[] = [];

function conduct(play: (request: StartRequest) => readonly Message[]): Conductor {
  return new Conductor(
    () => {
      const worker = new PlayedWorker(play);
      workers.push(worker);
      return worker;
    },
    () => undefined,
  );
}

beforeEach(() => {
  workers.length = 0;
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

test("stock is measured first, and a share of its peak is vdnn's budget", async () => {
  const conductor = conduct(({ run }) => wholeRun(run));
  await conductor.train(SETTINGS, ["webgpu", "wasm"]);
  expect(workers.map(({ requests }) => requests[0])).toMatchObject([
    { run: "reference", limitBytes: null, backends: ["webgpu", "wasm"] },
    // On the backend that stock ran on.
    { run: "vdnn", limitBytes: 250, backends: ["wasm"] },
  ]);
  expect(workers.every(({ isTerminated }) => isTerminated)).toBe(true);
  expect(conductor.state).toMatchObject({ active: null, failure: null });
});

test("stock that was measured is not measured again", async () => {
  const conductor = conduct(({ run }) => wholeRun(run));
  await conductor.train(SETTINGS, ["wasm"]);
  await conductor.train({ ...SETTINGS, budget: "50%" }, ["wasm"]);
  await conductor.runLimited(SETTINGS, ["wasm"]);
  expect(workers.map(({ requests }) => (requests[0] as StartRequest).run)).toEqual([
    "reference",
    "vdnn",
    "vdnn",
    "limited",
  ]);
});

test("stock is measured again when it was stopped", async () => {
  const conductor = conduct(({ run }) => (workers.length === 1 ? wholeRun(run).slice(0, -1) : wholeRun(run)));
  const training = conductor.train(SETTINGS, ["wasm"]);
  await vi.advanceTimersByTimeAsync(0);
  conductor.stop();
  conductor.stop();
  await training;
  expect(conductor.state.runs.reference?.status).toBe("stopped");
  await conductor.train(SETTINGS, ["wasm"]);
  expect(conductor.state.runs).toMatchObject({ reference: { status: "finished" }, vdnn: { status: "finished" } });
});

test("a budget that cannot be read is told, and no worker starts", async () => {
  const conductor = conduct(({ run }) => wholeRun(run));
  await conductor.train({ ...SETTINGS, budget: "plenty" }, ["wasm"]);
  expect(workers).toHaveLength(0);
  expect(conductor.state.failure).toMatchObject({ code: "ERR_INVALID_OPTION" });
});

test("where stock fails, a share of it is no budget, and a size is", async () => {
  const play = ({ run }: StartRequest): readonly Message[] =>
    run === "reference"
      ? [
          {
            kind: "failed",
            run,
            failure: { code: "ERR_OUT_OF_MEMORY", message: "full", step: 0 },
            memory: null,
            files: null,
          },
        ]
      : wholeRun(run);
  const conductor = conduct(play);
  await conductor.train(SETTINGS, ["wasm"]);
  expect(workers).toHaveLength(1);
  expect(conductor.state.failure).toMatchObject({ code: "ERR_OUT_OF_MEMORY" });
  await conductor.train({ ...SETTINGS, budget: "1KiB" }, ["wasm"]);
  expect(conductor.state.runs.vdnn?.status).toBe("finished");
});

test("a worker that does not react to stop is ended, at once when asked twice", async () => {
  const conductor = conduct(() => []);
  const training = conductor.train(SETTINGS, ["wasm"]);
  conductor.stop();
  expect(workers[0]?.requests.at(-1)).toEqual({ kind: "stop" });
  await vi.advanceTimersByTimeAsync(3000);
  await training;
  expect(conductor.state).toMatchObject({ active: null, runs: { reference: { status: "stopped" } } });

  const again = conductor.train(SETTINGS, ["wasm"]);
  conductor.stop();
  conductor.stop();
  await again;
  expect(workers.every(({ isTerminated }) => isTerminated)).toBe(true);
});

test("half a minute without a step is told, until there is one", async () => {
  const conductor = conduct(() => []);
  const training = conductor.train(SETTINGS, ["wasm"]);
  await vi.advanceTimersByTimeAsync(29_000);
  workers[0]?.tell([{ kind: "memory", run: "reference", memory: MEMORY }]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(conductor.state.isQuiet).toBe(true);
  workers[0]?.tell([{ kind: "step", run: "reference", step: step(0, 1) }]);
  expect(conductor.state.isQuiet).toBe(false);
  conductor.stop();
  conductor.stop();
  await training;
});

test("a page that was frozen was not quiet: the half minute begins anew", async () => {
  const conductor = conduct(() => []);
  // The timer, which is due after 30 s, fires after 60.
  const clock = vi.spyOn(performance, "now").mockReturnValueOnce(0).mockReturnValue(60_000);
  const training = conductor.train(SETTINGS, ["wasm"]);
  await vi.advanceTimersByTimeAsync(31_000);
  expect(conductor.state.isQuiet).toBe(false);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(conductor.state.isQuiet).toBe(true);
  clock.mockRestore();
  conductor.stop();
  conductor.stop();
  await training;
});

test("a worker that dies is a failure with a code, and the next run gets another", async () => {
  const conductor = conduct(() => []);
  const training = conductor.train(SETTINGS, ["wasm"]);
  workers[0]?.die("out of memory");
  await training;
  expect(conductor.state.failure).toMatchObject({
    code: "ERR_WORKER",
    message: expect.stringContaining("out of memory"),
  });
});
