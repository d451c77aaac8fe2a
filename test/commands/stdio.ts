/** Catches what a command writes while it runs in this process. */
import { afterEach, beforeEach, vi } from "vitest";

export interface Caught {
  stdout: string;
  stderr: string;
}

/** To be called at the top of a test file: the texts are empty at the start of every test. */
export function catchOutput(): Caught {
  const caught: Caught = { stdout: "", stderr: "" };
  beforeEach(() => {
    Object.assign(caught, { stdout: "", stderr: "" });
    for (const stream of ["stdout", "stderr"] as const) {
      vi.spyOn(process[stream], "write").mockImplementation((text) => {
        caught[stream] += String(text);
        return true;
      });
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  return caught;
}
