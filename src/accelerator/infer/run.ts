/**
 * One real inference: the model's outputs in FP32 on the backend that is active, and again on the accelerator's arithmetic, with a
 * record of every layer that ran there and of what it left to the host.
 */
import type { LayersModel, Tensor } from "@tensorflow/tfjs";
import { VdnnError } from "../../errors.ts";
import type { TensorFlow } from "../../runtime/engine.ts";
import type { RefusedMode } from "../arithmetic/choose-mode.ts";
import type { HostOp, Saturation } from "../backend/records.ts";
import { type Accelerator, registerAccelerator } from "../backend/register.ts";
import { type Agreement, compareOutputs } from "./agreement.ts";
import type { Machine, MachineSettings } from "./machines.ts";
import type { InferLayer } from "./model.ts";
import { keepOperands } from "./operands.ts";
import { addSaturation } from "./repeated.ts";

export interface InferenceRun {
  readonly layers: readonly InferLayer[];
  readonly hostOps: readonly HostOp[];
  /** Of all layers. */
  readonly saturated: Saturation;
  /** Of the model's first output, `[batch, …]`. */
  readonly outputs: Float32Array;
  readonly outputShape: readonly number[];
  /** That the model has; all are computed, the first is kept. */
  readonly outputCount: number;
  /** gpu.js's mode, and the faster ones that do not serve here. */
  readonly mode: string;
  readonly refusedModes: readonly RefusedMode[];
  /** Backend of the FP32 outputs. */
  readonly reference: string;
  readonly agreement: Agreement;
  readonly wallMs: number;
}

const NOTHING_SATURATED: Saturation = { inputs: 0, weights: 0, sums: 0, outputs: 0 };

/**
 * @param inputs `[batch, …]` each; the caller disposes of them
 * @throws VdnnError `ERR_BACKEND` for values that are not finite, with the layer
 */
export async function runInference(
  tf: TensorFlow,
  model: LayersModel,
  inputs: readonly Tensor[],
  machine: Machine,
  { precision, accumulate }: Pick<MachineSettings, "precision" | "accumulate">,
): Promise<InferenceRun> {
  const reference = tf.getBackend();
  const expected = await predict(model, inputs);
  const firstBad = expected.values.findIndex((value) => !Number.isFinite(value));
  if (firstBad !== -1) {
    throw new VdnnError(
      "ERR_BACKEND",
      `${model.name}: in FP32 output ${firstBad} is ${expected.values[firstBad]}; expected finite outputs, so look at the ` +
        "model's weights and its input",
      { output: firstBad },
    );
  }
  const accelerator = registerAccelerator(tf, machine.arithmetic, { precision, accumulate });
  try {
    await tf.setBackend(machine.arithmetic);
    const operands = machine.needsOperands ? keepOperands(tf, accelerator) : null;
    const started = performance.now();
    const { values, shape } = await predict(model, inputs);
    const wallMs = performance.now() - started;
    return {
      layers: layersOf(accelerator, model, operands),
      hostOps: accelerator.hostOps(),
      saturated: accelerator
        .layers()
        .map((layer) => layer.saturated)
        .reduce(addSaturation, NOTHING_SATURATED),
      outputs: values,
      outputShape: shape,
      outputCount: model.outputs.length,
      mode: accelerator.mode,
      refusedModes: accelerator.refusedModes,
      reference,
      agreement: compareOutputs(values, expected.values, shape[0] ?? 1),
      wallMs,
    };
  } finally {
    await accelerator.dispose();
  }
}

function layersOf(
  accelerator: Accelerator,
  model: LayersModel,
  operands: ReturnType<typeof keepOperands> | null,
): InferLayer[] {
  const weightless = new Set(model.layers.filter(({ weights }) => weights.length === 0).map(({ name }) => name));
  return accelerator.layers().map((layer) => {
    const { shape, densities, kernel, macs, saturated } = layer;
    const hasWeights = !weightless.has(shape.name);
    return { shape, densities, ran: { kernel, macs, saturated }, hasWeights, operands: operands?.get(layer) ?? null };
  });
}

async function predict(
  model: LayersModel,
  inputs: readonly Tensor[],
): Promise<{ readonly values: Float32Array; readonly shape: readonly number[] }> {
  const [batch = 1] = inputs[0]?.shape ?? [];
  const predicted = model.predict([...inputs], { batchSize: batch });
  const all = [predicted].flat();
  const first = all[0];
  if (first === undefined) throw new Error(`${model.name}: expected an output`);
  const values = Float32Array.from(await first.data());
  const { shape } = first;
  for (const tensor of all) tensor.dispose();
  return { values, shape };
}
