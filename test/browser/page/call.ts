/** Calls of scenarios, and answers to them, as they cross from the test to the page and from the page to its worker. */
import { scenarios } from "./scenarios.ts";

export interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
}

export interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly code: string | undefined; readonly stack: string | undefined };
}

/** Runs a scenario in this realm. Never throws: what the scenario throws is an answer. */
export async function answer({ name, args }: Call): Promise<Answer> {
  try {
    const run = (scenarios as Readonly<Record<string, (...args: never[]) => Promise<unknown>>>)[name];
    if (run === undefined) throw new Error(`there is no scenario "${name}"`);
    return { result: await run(...(args as never[])) };
  } catch (error) {
    const { message = String(error), code, stack } = error as { message?: string; code?: string; stack?: string };
    return { error: { message, code, stack } };
  }
}
