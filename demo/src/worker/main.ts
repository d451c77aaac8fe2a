/** The worker's end of the protocol: one run, then it waits to be ended. */
import type { Message, Request } from "../protocol.ts";
import { executeRun } from "./run.ts";

/** What of a worker's global scope is used here; TypeScript's DOM library is that of a page. */
interface WorkerScope {
  addEventListener(type: "message", listener: (event: { readonly data: Request }) => void): void;
  postMessage(message: Message, transfer: readonly never[]): void;
}

const scope = globalThis as unknown as WorkerScope;
const stop = new AbortController();

scope.addEventListener("message", ({ data }) => {
  if (data.kind === "stop") stop.abort();
  else void executeRun(data, stop.signal, (message) => scope.postMessage(message, []));
});
