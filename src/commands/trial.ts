/**
 * One trial: trains a built-in network for a few steps and tells its parent how that went. A program of its own, started by
 * trial-process.ts, because it may run out of memory, crash or hang, and because TensorFlow reads its limits when it starts.
 */
import { loadTensorFlow } from "../backends/load.ts";
import { VdnnError } from "../errors.ts";
import { networkNamed } from "../simulator/networks.ts";
import { settledSteps } from "./settled.ts";
import { median, trainNetwork } from "./training.ts";
import type { TrialMessage, TrialSpec, TrialStep } from "./trial-process.ts";

async function train({ backend, network, training, session, history = false }: TrialSpec): Promise<TrialMessage> {
  const loaded = await loadTensorFlow(backend);
  const named = networkNamed(network).network;
  // What is compared here is memory and time; `vdnn doctor` and `vdnn train --compare` look at the numbers.
  const options = { ...session, history, selfTest: false };
  const result = await trainNetwork(loaded.tf, { ...training, network: named }, options, (step) => {
    process.send?.({ step } satisfies TrialStep);
  });
  const lastStep = result.history?.steps.at(-1);
  const { steps, steady, report, weightsSha256, losses } = result;
  const steadySteps = settledSteps(report.iterations);
  return {
    ok: true,
    result: {
      stepMs: steps.map(({ wallMs }) => wallMs),
      peakDeviceBytes: report.peakDeviceBytes,
      steadyPeakDeviceBytes: steady.peakDeviceBytes,
      peakHostBytes: report.peakHostBytes,
      offloadBytes: median(steadySteps.map(({ offloadBytes }) => offloadBytes)),
      prefetchBytes: median(steadySteps.map(({ prefetchBytes }) => prefetchBytes)),
      copyMs: median(steadySteps.map(({ copyMs }) => copyMs)),
      stallMs: steady.stallMs,
      recomputeMs: median(steadySteps.map(({ recomputeMs }) => recomputeMs)),
      chosen: report.plans[0]?.policy ?? "",
      losses,
      weightsSha256,
      ...(lastStep === undefined ? {} : { lastStep }),
    },
  };
}

function failure(error: unknown): TrialMessage {
  const message = error instanceof Error ? error.message : String(error);
  return { ok: false, code: error instanceof VdnnError ? error.code : null, message };
}

process.once("message", (spec: TrialSpec) => {
  void train(spec)
    .catch(failure)
    .then((message) => process.send?.(message, undefined, undefined, () => process.exit(0)));
});
// Without its parent there is nobody to tell.
process.once("disconnect", () => process.exit(1));
