/** What to do about a failure, by its code. Pure. */
import type { Failure } from "../protocol.ts";
import type { RunState } from "./state.ts";

export interface Advice {
  readonly title: string;
  readonly remedies: readonly string[];
}

/** @param run in which it happened */
export function adviceFor({ code, message }: Failure, run: RunState | undefined): Advice {
  if (/device was lost|context.*lost/i.test(message)) {
    return {
      title: "The device was lost",
      remedies: [
        "Train again: every run gets a worker and a device of its own, so nothing of the lost one is left.",
        "If it happens again, lower the batch or the budget: drivers reset a device that runs out of memory or hangs.",
        "If the browser then offers no WebGPU any more, restart it, or choose WebAssembly.",
      ],
    };
  }
  if (/on their way to the host/.test(message)) {
    return {
      title: "The plan did not leave enough room",
      remedies: [
        "Choose another policy, such as vdnn-dyn, or raise the budget.",
        "On WebGPU data that leaves during the forward pass comes back only at the next wait; plans that need it sooner fail.",
      ],
    };
  }
  switch (code) {
    case "ERR_OUT_OF_MEMORY":
      return run?.steps.length === 0
        ? {
            title: "The budget is below what this network needs at least",
            remedies: [
              "Raise the budget: weights, and what one kernel reads and writes, have to be on the device at once.",
              "Or lower the batch, which shrinks what kernels read and write, but not the weights.",
            ],
          }
        : {
            title: "The device ran out of memory",
            remedies: ["Lower the batch, or give vdnn a lower budget in bytes, below what this device grants."],
          };
    case "ERR_HOST_MEMORY":
      return {
        title: "Host memory is full",
        remedies: ["Raise the device budget or lower the batch; close other tabs."],
      };
    case "ERR_INVALID_OPTION":
      return { title: "A setting cannot be used", remedies: ["Correct it and train again."] };
    case "ERR_BACKEND":
      return {
        title: "The device does not work",
        remedies: [
          "Choose another backend, or automatic.",
          "WebGPU needs a page from https or localhost, and a browser that has not blocked the GPU (chrome://gpu; in Firefox about:support).",
        ],
      };
    case "ERR_PARITY":
      return {
        title: "This device does not compute the same twice",
        remedies: ["Choose another backend; please report the adapter’s name."],
      };
    case "ERR_WORKER":
      return {
        title: "The training worker ended",
        remedies: [
          "Train again. If the browser ended it for its memory, lower the batch.",
          "From file:// only the page that is one file, vdnn-demo.html, can start one; or use `npm run demo`, or any static host.",
        ],
      };
    default:
      return { title: "Something failed that should not", remedies: ["Train again, or choose another backend."] };
  }
}
