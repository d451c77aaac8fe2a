/**
 * Runs scenarios in any browser that can open an address: the page asks its server what to do, and brings the answer back. No
 * driver, no protocol of the browser's.
 *
 *   page                     server
 *   GET /call         ──▶    answers when a test has one: { realm, name, args }
 *   POST /answer      ──▶    { result } or { error }
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import type { Answer } from "./answer.ts";

export interface RemoteCall {
  readonly realm: string;
  readonly name: string;
  readonly args: readonly unknown[];
}

interface Open {
  readonly call: RemoteCall;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** One call at a time. */
export class Desk {
  /** The page, while it has nothing to do. */
  #idle: ServerResponse | undefined;
  #open: Open | undefined;

  /** @throws Error when the browser is gone, or has not answered the call before */
  async ask(call: RemoteCall): Promise<Answer> {
    if (this.#open !== undefined) throw new Error(`${this.#open.call.name} has no answer yet; await it first`);
    return new Promise((resolve, reject) => {
      this.#open = { call, resolve, reject };
      this.#dispatch();
    });
  }

  /** The browser is gone: nobody will answer. */
  fail(error: Error): void {
    this.#open?.reject(error);
    this.#open = undefined;
  }

  /** @returns whether the request was for the desk */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.url === "/call") {
      this.#idle = response;
      this.#dispatch();
      return true;
    }
    if (request.url !== "/answer") return false;
    void json(request).then((answer) => {
      response.writeHead(204).end();
      const open = this.#open;
      this.#open = undefined;
      open?.resolve(answer as Answer);
    });
    return true;
  }

  #dispatch(): void {
    if (this.#idle === undefined || this.#open === undefined) return;
    this.#idle.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(this.#open.call));
    this.#idle = undefined;
  }
}
