/** Layers on vectors and sequences, and those that only join or reshape. */
import { attentionHeads } from "../networks/transformer.ts";
import { type Gradient, sizeOf } from "./emitter.ts";
import {
  activate,
  ACTIVATIONS,
  type Adapter,
  type LayerContext,
  onlyInput,
  owned,
  requiredWeight,
  unsupported,
  wanted,
} from "./layer-context.ts";
import { addBias } from "./spatial-layers.ts";

const dense: Adapter = (context) => {
  const { emitter, outputShape } = context;
  const x = onlyInput(context);
  const weight = requiredWeight(context, "kernel");
  const [inputs = 1, units = 1] = weight.shape;
  const work = { kind: "matrix", flops: (2 * sizeOf(x.shape) * units * inputs) / (x.shape.at(-1) ?? 1) } as const;
  const y = emitter.map(outputShape);
  emitter.kernel("MatMul", { inputs: [x.tensor, weight.tensor], outputs: [y], ...work });
  emitter.onBackward(y, ({ tensor: dy }) => {
    if (x.needsGradient) {
      const dx = emitter.gradientMap(x);
      emitter.kernel("MatMulGradInput", { inputs: [weight.tensor, dy], outputs: [dx], ...work });
      emitter.accumulate(x, owned(dx));
    }
    if (weight.gradient !== undefined) {
      emitter.kernel("MatMulGradWeight", { inputs: [x.tensor, dy], outputs: [weight.gradient], ...work });
    }
  });
  addBias(context, y, outputShape);
  return activate(context, y, outputShape);
};

/** In place where Note [In place] allows it. */
const activation: Adapter = (context) => {
  const { emitter, config, outputShape } = context;
  const x = onlyInput(context);
  if (config["activation"] === "linear") return { tensor: x.tensor, isSaved: x.isSaved };
  if (x.readers === 1 && !x.isSaved) return activate(context, x.tensor, outputShape);
  const name = ACTIVATIONS[String(config["activation"])];
  if (name === undefined) throw unsupported(context, `activation ${JSON.stringify(config["activation"])}`);
  const y = emitter.map(outputShape);
  emitter.kernel(name, { inputs: [x.tensor], outputs: [y] });
  emitter.onBackward(y, (gradient) => {
    const dx = emitter.inPlace(gradient, outputShape);
    emitter.kernel(`${name}Grad`, { inputs: [y, gradient.tensor], outputs: [dx] });
    emitter.accumulate(x, owned(dx));
  });
  return { tensor: y, isSaved: true };
};

/** Keeps its mask, one byte per element, and neither x nor y. Its random numbers cannot be drawn again. */
const dropout: Adapter = (context) => {
  const { emitter, outputShape } = context;
  const x = onlyInput(context);
  const mask = emitter.tensor(sizeOf(outputShape), "activation", "mask", 1);
  const y = emitter.map(outputShape);
  emitter.kernel("Dropout", { inputs: [x.tensor], outputs: [y, mask], recomputable: false });
  emitter.onBackward(y, (gradient) => {
    const dx = emitter.inPlace(gradient, outputShape);
    emitter.kernel("DropoutGrad", { inputs: [mask, gradient.tensor], outputs: [dx] });
    emitter.accumulate(x, owned(dx));
  });
  return { tensor: y };
};

/** Moves nothing. */
const reshape: Adapter = (context) => {
  const { tensor, isSaved } = onlyInput(context);
  return { tensor, isSaved };
};

/** The gradient of a sum is every summand's: they share it. */
const add: Adapter = (context) => {
  const { emitter, inputs, outputShape } = context;
  const y = emitter.map(outputShape);
  emitter.kernel("AddN", { inputs: inputs.map(({ tensor }) => tensor), outputs: [y] });
  emitter.onBackward(y, ({ tensor }) => {
    const gradient: Gradient = { tensor, isShared: inputs.length > 1 };
    for (const x of inputs) emitter.accumulate(x, gradient);
  });
  return { tensor: y };
};

/** Copies forward, and cuts the gradient into copies backward. */
const concatenate: Adapter = (context) => {
  const { emitter, inputs, outputShape } = context;
  const y = emitter.map(outputShape);
  emitter.kernel("Concat", { inputs: inputs.map(({ tensor }) => tensor), outputs: [y] });
  emitter.onBackward(y, ({ tensor: dy }) => {
    for (const x of inputs) {
      if (!x.needsGradient) continue;
      const dx = emitter.gradientMap(x);
      emitter.kernel("Slice", { inputs: [dy], outputs: [dx], bytes: 8 * sizeOf(x.shape) });
      emitter.accumulate(x, owned(dx));
    }
  });
  return { tensor: y };
};

/** Gathers rows; the gradient of the table is dense, as in TensorFlow.js. */
const embedding: Adapter = (context) => {
  const { emitter, outputShape } = context;
  const x = onlyInput(context);
  const table = requiredWeight(context, "embeddings");
  const y = emitter.map(outputShape);
  emitter.kernel("GatherV2", { inputs: [x.tensor, table.tensor], outputs: [y], bytes: 8 * sizeOf(outputShape) });
  emitter.onBackward(y, ({ tensor: dy }) => {
    if (table.gradient !== undefined) {
      emitter.kernel("UnsortedSegmentSum", { inputs: [x.tensor, dy], outputs: [table.gradient] });
    }
  });
  return { tensor: y };
};

/** Adds one learned vector per position. */
const positions: Adapter = (context) => {
  const { emitter, outputShape } = context;
  const x = onlyInput(context);
  const table = requiredWeight(context, "positions");
  const y = emitter.map(outputShape);
  emitter.kernel("Add", { inputs: [x.tensor, table.tensor], outputs: [y] });
  emitter.onBackward(y, (gradient) => {
    if (table.gradient !== undefined) {
      emitter.kernel("Sum", { inputs: [gradient.tensor], outputs: [table.gradient] });
    }
    emitter.accumulate(x, gradient);
  });
  return { tensor: y };
};

/**
 * An LSTM layer as cuDNN's RNN interface has it: one forward call that keeps gates and cells of every token in a reserve, one
 * backward call for the data and one for the weights.
 */
const lstm: Adapter = (context) => {
  const { emitter, config, outputShape } = context;
  const x = onlyInput(context);
  const weights = ["kernel", "recurrent_kernel", "bias"].flatMap((name) =>
    context.weights.filter((w) => w.name === name),
  );
  const [batch = 1, tokens = 1, inputs = 1] = x.shape;
  const units = Number(config["units"]);
  const work = { kind: "recurrent", flops: 2 * batch * tokens * 4 * units * (inputs + units) } as const;
  // Four gates and the cell. The hidden states of all tokens are the output or, where only the last is asked for, saved beside.
  const reserve = emitter.tensor(batch * tokens * units * 5, "activation", "reserve");
  const sequence = emitter.map([batch, tokens, units], "hidden");
  const reads = weights.map(({ tensor }) => tensor);
  emitter.kernel("RNNForward", { inputs: [x.tensor, ...reads], outputs: [sequence, reserve], ...work });
  const returnsSequence = config["returnSequences"] === true;
  const y = returnsSequence ? sequence : emitter.map(outputShape);
  if (!returnsSequence) {
    emitter.kernel("Slice", { inputs: [sequence], outputs: [y], bytes: 8 * sizeOf(outputShape) });
  }
  emitter.onBackward(y, ({ tensor: dy }) => {
    const dx = emitter.gradientMap(x);
    emitter.kernel("RNNBackwardData", { inputs: [sequence, dy, reserve, ...reads], outputs: [dx, reserve], ...work });
    emitter.accumulate(x, owned(dx));
    const outputs = weights.flatMap(({ gradient }) => gradient ?? []);
    emitter.kernel("RNNBackwardWeights", { inputs: [x.tensor, sequence, reserve], outputs, ...work });
  });
  return { tensor: y, isSaved: returnsSequence };
};

/** Scaled dot-product attention, scores kept, softmax in place: query, key and value of `[batch, tokens, channels]`. */
const attention: Adapter = (context) => {
  const { emitter, inputs, outputShape } = context;
  const [query, key, value] = inputs;
  if (query === undefined || key === undefined || value === undefined) throw unsupported(context, "these inputs");
  const [batch = 1, tokens = 1, channels = 1] = outputShape;
  const scoresShape = [batch, attentionHeads(channels), tokens, tokens];
  const work = { kind: "matrix", flops: 2 * batch * tokens * tokens * channels } as const;
  const scores = emitter.map(scoresShape, "scores");
  const y = emitter.map(outputShape);
  emitter.kernel("BatchMatMul", { inputs: [query.tensor, key.tensor], outputs: [scores], ...work });
  emitter.kernel("Softmax", { inputs: [scores], outputs: [scores] });
  emitter.kernel("BatchMatMul", { inputs: [scores, value.tensor], outputs: [y], ...work });
  emitter.onBackward(y, ({ tensor: dy }) => {
    const [dq, dk, dv] = [
      emitter.gradientMap(query, "dq"),
      emitter.gradientMap(key, "dk"),
      emitter.gradientMap(value, "dv"),
    ];
    const ds = emitter.gradientMap({ shape: scoresShape }, "d_scores");
    emitter.kernel("BatchMatMul", { inputs: [scores, dy], outputs: [dv], ...work });
    emitter.accumulate(value, owned(dv));
    emitter.kernel("BatchMatMul", { inputs: [dy, value.tensor], outputs: [ds], ...work });
    emitter.kernel("SoftmaxGrad", { inputs: [scores, ds], outputs: [ds] });
    emitter.kernel("BatchMatMul", { inputs: [ds, key.tensor], outputs: [dq], ...work });
    emitter.accumulate(query, owned(dq));
    emitter.kernel("BatchMatMul", { inputs: [ds, query.tensor], outputs: [dk], ...work });
    emitter.accumulate(key, owned(dk));
  });
  return { tensor: y };
};

/** Mean cross entropy of probabilities against one-hot labels: the loss, and the kernel that starts the backward pass. */
export function crossEntropy(
  context: Pick<LayerContext, "emitter">,
  probabilities: number,
  shape: readonly number[],
): () => number {
  const { emitter } = context;
  const labels = emitter.tensor(sizeOf(shape), "input", "labels");
  const loss = emitter.tensor(1, "output", "loss");
  emitter.kernel("CrossEntropy", { inputs: [probabilities, labels], outputs: [loss] });
  return () => {
    emitter.enter("loss");
    const gradient = emitter.gradientMap(wanted(probabilities, shape), "d_probabilities");
    emitter.kernel("CrossEntropyGrad", { inputs: [probabilities, labels], outputs: [gradient] });
    return gradient;
  };
}

export const VECTOR_LAYERS: Readonly<Record<string, Adapter>> = {
  Dense: dense,
  Activation: activation,
  Dropout: dropout,
  Flatten: reshape,
  Reshape: reshape,
  Add: add,
  Concatenate: concatenate,
  Embedding: embedding,
  Positions: positions,
  LSTM: lstm,
  Attention: attention,
};
