/**
 * The worker's end of the protocol: one run, then it waits to be ended.
 *
 * What runs is a chunk of its own. WebKit evaluates the entry of a module worker once more when one of its chunks imports it, and
 * bundlers put into the entry what chunks share: TensorFlow.js and vdnn would be there twice.
 */
import type { Message, Request, StartRequest } from "../protocol.ts";

/** What of a worker's global scope is used here; TypeScript's DOM library is that of a page. */
interface WorkerScope {
  addEventListener(type: "message", listener: (event: { readonly data: Request }) => void): void;
  postMessage(message: Message, transfer: readonly never[]): void;
}

const scope = globalThis as unknown as WorkerScope;
const stop = new AbortController();

scope.addEventListener("message", ({ data }) => {
  if (data.kind === "stop") stop.abort();
  else void start(data);
});

async function start(request: StartRequest): Promise<void> {
  const post = (message: Message): void => scope.postMessage(message, []);
  try {
    const { executeRun } = await import("./run.ts");
    await executeRun(request, stop.signal, post);
  } catch (error) {
    const failure = { code: "ERR_WORKER", message: `the training worker does not load: ${String(error)}`, step: null };
    post({ kind: "failed", run: request.run, failure, memory: null, files: null });
  }
}
