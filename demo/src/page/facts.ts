/** What is measured, and by what: said for the device and the run at hand. */
import { formatBytes, formatMs } from "../../../src/units.ts";
import { BACKEND_TITLES, type Device, deviceText } from "./devices.ts";
import { make } from "./dom.ts";
import { shownRun } from "./measures.ts";
import type { State } from "./state.ts";

export function renderFacts(list: HTMLElement, state: State, devices: readonly Device[]): void {
  const entries = factsOf(state, devices);
  list.replaceChildren(
    ...entries.map(([title, text]) => make("div", {}, [make("dt", { text: title }), make("dd", { text })])),
  );
}

export function factsOf(state: State, devices: readonly Device[]): readonly (readonly [string, string])[] {
  const facts = shownRun(state)?.facts ?? null;
  const used = devices.find(({ backend }) => backend === facts?.backend);
  return [
    [
      "Device",
      facts === null ? "Chosen when a run starts; everything below is then about it." : deviceFact(used, facts.skipped),
    ],
    [
      "Step time",
      "Wall time of trainOnBatch from the call until the loss has been read back, so the device has finished; generating the batch is " +
        "not in it. Medians are of the later half of a run’s steps: the first ones compile kernels, and vdnn records and plans in them. The " +
        "same for stock and for vdnn.",
    ],
    [
      "Clock",
      "performance.now() in the worker" +
        (facts === null ? "" : `, which advances in steps of ${formatMs(facts.clockMs)} here`) +
        ". On WebGPU and WebGL the compute lane shows when the worker issues each kernel, not when the GPU runs it; copies to the " +
        "host are shown until they have arrived.",
    ],
    [
      "Device bytes in use",
      "An exact ledger of TensorFlow.js’s tensors on the device: weights, optimizer state, activations, gradients, temporaries.",
    ],
    [
      "Device bytes allocated, and the limit",
      facts?.meter ??
        "Counted at the allocator, apart from vdnn’s ledger; the same cap stands before all runs that have a limit.",
    ],
    [
      "Host bytes",
      "What vdnn holds away from the device, in ArrayBuffers of this tab; copies under way are in it until they have been read.",
    ],
    [
      "Same bits",
      "After the same steps with the same seed, every loss and every weight of both runs goes into a 128-bit hash of its bits, and the " +
        "hashes are compared.",
    ],
    [
      "Isolation",
      "Each run has a worker and a device of its own, which end with it. While this tab is hidden, training goes on in the worker and " +
        "the page stops drawing; browsers may give hidden tabs less of the processor, so times from then may be longer.",
    ],
  ];
}

function deviceFact(device: Device | undefined, skipped: readonly string[]): string {
  if (device === undefined) return "not named by this browser";
  const software = device.isSoftware
    ? " It is a software adapter: a processor plays the GPU, so bytes and bits are real, and times say nothing about a GPU."
    : "";
  const passed = skipped.length === 0 ? "" : ` Passed over: ${skipped.join("; ")}.`;
  return `${deviceText(device)}.${software}${passed}`;
}

/** Below the choice of backends: what there is, and why the rest is not. One line each. */
export function backendLines(devices: readonly Device[]): readonly string[] {
  return devices.map(({ backend, missing, limits, isSoftware, name }) => {
    if (missing !== null) return `${BACKEND_TITLES[backend]}: not here, as ${missing}`;
    const parts = [name, ...(isSoftware ? ["software adapter"] : []), ...(limits === null ? [] : [limits])];
    return `${BACKEND_TITLES[backend]}: ${parts.join(", ")}`;
  });
}

/** What the budget field comes to, once stock was measured. */
export function budgetText(shareOfStock: number | null, stockBytes: number | null): string {
  if (stockBytes === null) return "A share of what stock needs, such as 25%, or a size, such as 96MiB";
  if (shareOfStock === null) return `Stock was measured to need ${formatBytes(stockBytes)}`;
  return `${formatBytes(Math.floor(stockBytes * shareOfStock))} of the ${formatBytes(stockBytes)} that stock was measured to need`;
}
