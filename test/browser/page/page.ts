/** The page: runs the scenarios that a test asks for, here or in its module worker. */
import { type Answer, answer, type Call } from "./call.ts";

interface Port {
  addEventListener(type: "message" | "error", listener: (event: PortEvent) => void, options: { once: true }): void;
  postMessage(call: Call, transfer: readonly never[]): void;
}

interface PortEvent {
  readonly data: Answer;
  /** Of an error that the worker did not catch. */
  readonly message: string;
}

declare const Worker: new (url: URL, options: { readonly type: "module" }) => Port;

let port: Port | undefined;

/** One call at a time: the worker answers in order. */
function ask(call: Call): Promise<Answer> {
  port ??= new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const worker = port;
  return new Promise((resolve) => {
    worker.addEventListener("message", ({ data }) => resolve(data), { once: true });
    worker.addEventListener("error", ({ message }) => resolve(failed(message)), { once: true });
    worker.postMessage(call, []);
  });
}

function failed(message: string): Answer {
  return { error: { message, code: undefined, stack: undefined } };
}

type RealmCall = Call & { readonly realm: string };

function scenario({ realm, ...call }: RealmCall): Promise<Answer> {
  return realm === "worker" ? ask(call) : answer(call);
}

/** In a browser that nobody steers the page asks its server what to run, until it is closed. */
async function serve(): Promise<never> {
  for (;;) {
    const call = (await (await fetch("/call")).json()) as RealmCall;
    await fetch("/answer", { method: "POST", body: JSON.stringify(await scenario(call)) });
  }
}

declare const location: { readonly hash: string };

if (location.hash === "#ask") void serve();
else Object.assign(globalThis, { scenario });
