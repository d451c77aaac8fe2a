/**
 * The module worker: runs the scenarios that the page asks for. They are a chunk of their own, because WebKit evaluates the entry
 * of a module worker once more when one of its chunks imports it.
 */
import type { Answer, Call } from "./call.ts";

interface Port {
  addEventListener(type: "message", listener: (event: { readonly data: Call }) => void): void;
  postMessage(answer: Answer, transfer: readonly never[]): void;
}

const port = globalThis as unknown as Port;

port.addEventListener("message", ({ data }) => {
  void import("./call.ts").then(({ answer }) => answer(data)).then((found) => port.postMessage(found, []));
});
