/** A display for browsers that need one: that of the user, or one in memory. */
import { once } from "node:events";
import type { Readable } from "node:stream";
import { startChild } from "./child.ts";
import { findOnPath } from "./program.ts";

export interface Display {
  /** As `DISPLAY` has it. */
  readonly name: string;
  close(): Promise<void>;
}

export function hasDisplay(): boolean {
  return process.env["DISPLAY"] !== undefined || frameBuffer() !== undefined;
}

/** @returns undefined where there is none: `hasDisplay` */
export async function openDisplay(): Promise<Display | undefined> {
  const name = process.env["DISPLAY"];
  if (name !== undefined) return { name, close: () => Promise.resolve() };
  const file = frameBuffer();
  if (file === undefined) return undefined;
  // It takes a number that is free, and says which.
  const program = startChild(file, ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const [number] = (await once(program.process.stdio[3] as Readable, "data")) as [Buffer];
  return { name: `:${number.toString().trim()}`, close: () => program.end() };
}

function frameBuffer(): string | undefined {
  return findOnPath(["Xvfb"]);
}
