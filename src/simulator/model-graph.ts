/**
 * From a tf.layers model to a training iteration of it on a GPU, from shapes alone: the model may have been built without
 * weights (shape-only.ts). Every layer kind has an adapter; a kind without one is an error, never left out.
 *
 * The memory of the result is that of a runtime that knows lifetimes and saves lean: a backward kernel reads x, y or neither, as
 * its kind needs. Order within a convolution's backward pass: relu, bias, data, filter, as PyTorch and TensorFlow.js have it.
 */
import type { LayersModel, SymbolicTensor, layers as tfLayers } from "@tensorflow/tfjs";
import { Emitter, type Optimizer, type Value } from "./emitter.ts";
import { type Adapter, unsupported } from "./layer-context.ts";
import { SPATIAL_LAYERS } from "./spatial-layers.ts";
import { crossEntropy, VECTOR_LAYERS } from "./vector-layers.ts";
import type { WeightShape } from "./shape-only.ts";
import type { WorkGraph } from "./work.ts";

const ADAPTERS: Readonly<Record<string, Adapter>> = { ...SPATIAL_LAYERS, ...VECTOR_LAYERS };
/** From here on features are no maps any more. */
const CLASSIFIER_STARTS: ReadonlySet<string> = new Set(["Flatten", "GlobalAveragePooling2D"]);

export interface ModelGraphOptions {
  readonly batch: number;
  /** Default sgd: no state, as in the vDNN paper. */
  readonly optimizer?: Optimizer;
}

/** @throws VdnnError `ERR_UNSUPPORTED_LAYER` naming the layer and its kind */
export function modelGraph(model: LayersModel, { batch, optimizer = "sgd" }: ModelGraphOptions): WorkGraph {
  const emitter = new Emitter(batch);
  const order = executionOrder(model);
  const readers = countReaders(order, model);
  const values = new Map<number, Value>();
  const layers: Record<string, string> = {};
  const featureLayers: string[] = [];
  let isFeature = true;

  for (const layer of order) {
    const kind = layer.getClassName();
    const { inputTensors, output } = nodeOf(layer);
    const shape = withBatch(output.shape, batch);
    const count = readers.get(output.id) ?? 1;
    emitter.enter(layer.name);
    if (kind === "InputLayer") {
      const tensor = emitter.tensor(
        shape.reduce((a, b) => a * b, 1),
        "input",
        "x",
      );
      values.set(output.id, { tensor, shape, needsGradient: false, isSaved: false, readers: count });
      continue;
    }
    const adapter = ADAPTERS[kind];
    if (adapter === undefined) throw unsupported({ name: layer.name, kind }, "this kind of layer");
    const inputs = inputTensors.map(({ id }) => values.get(id) as Value);
    const weights = weightsOf(layer).map(({ name, shape: weightShape, trainable }) => ({
      name,
      ...emitter.weight(weightShape, name, trainable),
    }));
    const { tensor, isSaved = false } = adapter({
      emitter,
      name: layer.name,
      kind,
      config: layer.getConfig(),
      inputs,
      outputShape: shape,
      weights,
    });
    const needsGradient =
      inputs.some((input) => input.needsGradient) || weights.some(({ gradient }) => gradient !== undefined);
    values.set(output.id, { tensor, shape, needsGradient, isSaved, readers: count });
    layers[layer.name] = kind;
    if (CLASSIFIER_STARTS.has(kind)) isFeature = false;
    if (isFeature) featureLayers.push(layer.name);
  }

  const output = values.get(model.outputs[0]?.id ?? -1) as Value;
  emitter.enter("loss");
  const lossGradient = crossEntropy({ emitter }, output.tensor, output.shape);
  return emitter.finish(model.name, output, layers, { optimizer, featureLayers, lossGradient });
}

interface Application {
  readonly inputTensors: readonly SymbolicTensor[];
  readonly output: SymbolicTensor;
}

/** The one place where a layer stands in the model. */
function nodeOf(layer: tfLayers.Layer): Application {
  const { inboundNodes } = layer;
  const [node] = inboundNodes;
  const [output] = node?.outputTensors ?? [];
  if (node === undefined || output === undefined || inboundNodes.length !== 1 || node.outputTensors.length !== 1) {
    throw unsupported({ name: layer.name, kind: layer.getClassName() }, "layers of several outputs or places");
  }
  return { inputTensors: layer.getClassName() === "InputLayer" ? [] : node.inputTensors, output };
}

/** Depth first from the output, as tf.layers runs a model: a branch is finished before the next begins. */
function executionOrder(model: LayersModel): tfLayers.Layer[] {
  const [output] = model.outputs;
  if (output === undefined || model.outputs.length !== 1) {
    throw unsupported({ name: model.name, kind: "LayersModel" }, `${model.outputs.length} outputs`);
  }
  const order: tfLayers.Layer[] = [];
  const seen = new Set<tfLayers.Layer>();
  const stack: { readonly layer: tfLayers.Layer; readonly isReady: boolean }[] = [
    { layer: output.sourceLayer, isReady: false },
  ];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { layer, isReady } = top;
    if (isReady) {
      order.push(layer);
    } else if (!seen.has(layer)) {
      seen.add(layer);
      stack.push({ layer, isReady: true });
      for (const { sourceLayer } of nodeOf(layer).inputTensors.toReversed())
        stack.push({ layer: sourceLayer, isReady: false });
    }
  }
  return order;
}

function countReaders(order: readonly tfLayers.Layer[], model: LayersModel): Map<number, number> {
  const readers = new Map<number, number>();
  const count = ({ id }: SymbolicTensor): unknown => readers.set(id, (readers.get(id) ?? 0) + 1);
  for (const layer of order) nodeOf(layer).inputTensors.forEach(count);
  model.outputs.forEach(count);
  return readers;
}

function weightsOf(layer: tfLayers.Layer): WeightShape[] {
  return (layer.weights as unknown as WeightShape[]).map(({ name, shape, dtype, trainable }) => ({
    // Built with data, a weight is called layer/name_1; here only the last part matters.
    name: (name.split("/").at(-1) ?? name).replace(/_\d+$/, ""),
    shape,
    dtype,
    trainable,
  }));
}

function withBatch(shape: readonly (number | null)[], batch: number): number[] {
  return shape.map((size, i) => size ?? (i === 0 ? batch : 1));
}
