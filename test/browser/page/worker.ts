/** The module worker: runs the scenarios that the page asks for. */
import { type Answer, answer, type Call } from "./call.ts";

interface Port {
  addEventListener(type: "message", listener: (event: { readonly data: Call }) => void): void;
  postMessage(answer: Answer, transfer: readonly never[]): void;
}

const port = globalThis as unknown as Port;

port.addEventListener("message", ({ data }) => void answer(data).then((found) => port.postMessage(found, [])));
