/**
 * A simulated accelerator as a TensorFlow.js backend, for inference:
 *
 *     const accelerator = registerAccelerator(tf, "eyeriss");
 *     await tf.setBackend("eyeriss");
 *     model.predict(images);           // computed in 16-bit fixed point
 *     accelerator.layers();            // shapes, densities, zero MACs: what a cost model needs
 *     await accelerator.dispose();     // tensors move to the backend that was there before
 */
import { VdnnError } from "../../errors.ts";
import { engineOf, type TensorFlow } from "../../runtime/engine.ts";
import { type Arithmetic, type Accumulation, arithmeticOf, type Scaling } from "../arithmetic/arithmetic.ts";
import { chooseUnit, type RefusedMode } from "../arithmetic/choose-mode.ts";
import type { ComputeMode } from "../arithmetic/unit.ts";
import type { Precision } from "../energy.ts";
import { acceleratedKernels, ACCELERATED_KERNELS } from "./accelerated.ts";
import { hostKernels } from "./host.ts";
import { watchLayers } from "./layer-names.ts";
import { createBackend, type Machine } from "./machine.ts";
import { ACCELERATORS, type AcceleratorName, PRESETS, type Workload, WORKLOADS } from "./presets.ts";
import { type AcceleratedLayer, type HostOp, RunLog } from "./records.ts";

/** Each one's default is in presets.ts. */
export interface AcceleratorOptions {
  /** Format of inputs, weights and outputs. */
  readonly precision?: Precision | undefined;
  /** Format of the sums. Default the preset's at its own precision, else the widest. */
  readonly accumulate?: Accumulation | undefined;
  readonly scaling?: Scaling | undefined;
  /** Layers that it computes itself; the others run on the host. */
  readonly workloads?: readonly Workload[] | undefined;
  /** gpu.js's mode. Default the fastest here that computes as the accelerator does, bit for bit. */
  readonly mode?: ComputeMode | undefined;
}

export interface Accelerator {
  /** Also the name of the TensorFlow.js backend. */
  readonly name: AcceleratorName;
  readonly arithmetic: Arithmetic;
  /** gpu.js's mode that computed last, and the faster ones that do not serve here. */
  readonly mode: string;
  readonly refusedModes: readonly RefusedMode[];
  /** The layers that ran on it since the last reset, in order. */
  layers(): readonly AcceleratedLayer[];
  hostOps(): readonly HostOp[];
  reset(): void;
  /** Leaves TensorFlow.js as it was. Tensors that live here move to the backend that is active then, or was before. */
  dispose(): Promise<void>;
}

/**
 * @throws VdnnError `ERR_INVALID_OPTION` for options that do not exist or do not go together, `ERR_BACKEND` when the name is taken
 *   or no mode of gpu.js serves
 */
export function registerAccelerator(
  tf: TensorFlow,
  name: AcceleratorName,
  options: AcceleratorOptions = {},
): Accelerator {
  if (!ACCELERATORS.includes(name)) throw unknown("accelerator", name, ACCELERATORS);
  const preset = PRESETS[name];
  const arithmetic = arithmeticFor(preset, options);
  const workloads = options.workloads ?? preset.workloads;
  for (const workload of workloads) if (!WORKLOADS.includes(workload)) throw unknown("workloads", workload, WORKLOADS);
  if (Object.hasOwn(registryOf(tf), name)) {
    throw new VdnnError(
      "ERR_BACKEND",
      `the backend "${name}" is registered already; dispose of that accelerator first`,
      {
        backend: name,
      },
    );
  }
  const { backend, held } = createBackend(tf);
  const { unit, refused } = chooseUnit(options.mode);
  const log = new RunLog();
  const names = watchLayers(tf);
  const machine: Machine = { tf, name, backend, arithmetic, workloads, unit, log, layer: () => names.current() };
  const previous = tf.getBackend();
  tf.registerBackend(name, () => backend as unknown as ReturnType<TensorFlow["backend"]>, 0);
  const host = hostKernels(machine).filter(({ kernelName }) => !ACCELERATED_KERNELS.includes(kernelName));
  const kernels = [...host, ...acceleratedKernels(machine)];
  for (const kernel of kernels) tf.registerKernel(kernel);

  let disposed: Promise<void> | null = null;
  const dispose = async (): Promise<void> => {
    if (tf.getBackend() === name) await tf.setBackend(tf.findBackend(previous) === null ? "cpu" : previous);
    const engine = engineOf(tf);
    for (const dataId of Array.from(held))
      if (engine.state.tensorInfo.has(dataId)) engine.moveData(engine.backend, dataId);
    tf.removeBackend(name);
    for (const { kernelName } of kernels) tf.unregisterKernel(kernelName, name);
    names.release();
    await unit.dispose();
  };
  return {
    name,
    arithmetic,
    refusedModes: refused,
    get mode() {
      return unit.mode;
    },
    layers: () => [...log.layers],
    hostOps: () => [...log.hostOps],
    reset: () => log.reset(),
    dispose: () => (disposed ??= dispose()),
  };
}

function arithmeticFor(preset: (typeof PRESETS)[AcceleratorName], options: AcceleratorOptions): Arithmetic {
  const precision = options.precision ?? preset.precision;
  const inherited = precision === preset.precision ? preset.accumulate : undefined;
  return arithmeticOf(precision, options.accumulate ?? inherited, options.scaling ?? preset.scaling);
}

function registryOf(tf: TensorFlow): object {
  return (tf.engine() as unknown as { readonly registryFactory: object }).registryFactory;
}

function unknown(option: string, got: unknown, expected: readonly string[]): VdnnError {
  return new VdnnError("ERR_INVALID_OPTION", `${option}: expected ${expected.join(", ")}, got ${String(got)}`, {
    option,
    got,
    expected,
  });
}
