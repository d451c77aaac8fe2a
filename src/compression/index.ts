/**
 * `vdnn/compression`: Deep Compression and the codecs of accelerators, on plain typed arrays; and the compression of a tf.layers model
 * with retraining, which runs in a session of `virtualize` as any training does.
 */
export { type CscElement, type CscMatrix, cscBits, cscEntries, decodeCsc, encodeCsc } from "./codecs/csc.ts";
export { decodeHuffman, encodeHuffman, huffmanBits, huffmanBitsOf, type HuffmanStream } from "./codecs/huffman.ts";
export { codeLengths, entropy, histogram } from "./codecs/huffman-lengths.ts";
export {
  decodeRelative,
  encodeRelative,
  expectedEntriesPerWeight,
  relativeIndexBits,
} from "./codecs/relative-index.ts";
export { countPairs, decodeRunLength, encodeRunLength, runLengthBits, runLengthFactor } from "./codecs/run-length.ts";
export { decodeZeroValue, encodeZeroValue, zeroValueBits } from "./codecs/zero-value.ts";
export { decodeModel, encodeModel, type EncodeOptions } from "./file/encode.ts";
export { readCompressedModel, writeCompressedModel } from "./file/file.ts";
export { type FlatLayer, readFlat, writeFlat } from "./flat/flat.ts";
export { SQUEEZENET_LAYERS } from "./flat/squeezenet.ts";
export { codesOf, compressLayer, type CompressOptions, decodeLayer, layerOfCodes } from "./layer.ts";
export type { CompressedLayer, CompressedModel, DenseTensor, Entries, JsonObject, JsonValue } from "./model.ts";
export { applyMask, countKept, type Mask, pruneMask, type PruneRule } from "./pruning.ts";
export { fromHalf, fromHalves, roundToHalf, toHalf, toHalves } from "./quantization/half.ts";
export { dequantize, quantize, type Quantized, quantizedBits } from "./quantization/symmetric.ts";
export { type Initialization, INITIALIZATIONS } from "./sharing/initial.ts";
export { centroidGradients, lookUp, type SharedWeights, type ShareOptions, shareWeights } from "./sharing/share.ts";
export { layerSize, type LayerSize, modelSize, type ModelSize, rates } from "./size/account.ts";
export { predictLayer, predictNetwork, publishedRows } from "./size/predict.ts";
export { PUBLISHED_NETWORKS } from "./size/published.ts";
export {
  accuracyOf,
  adam,
  type Classifier,
  crossEntropy,
  type Loss,
  type Phase,
  type Predictor,
} from "./training/classifier.ts";
export { compressModel, type CompressionResult, type StageAccuracies } from "./training/compress.ts";
export type { LeftDense } from "./training/layers.ts";
export { loadCompressed } from "./training/load.ts";
export type { CompressionOptions, LayerOptions, Progress, Stage } from "./training/options.ts";
export type { Shares, ThresholdRule } from "./training/prune.ts";
export {
  measureQuantized,
  type QuantizedResult,
  quantizeWeights,
  type WeightPrecision,
  WEIGHT_PRECISIONS,
} from "./training/quantized.ts";
export type { LayerSensitivity, Sensitivities, SensitivityPoint } from "./training/sensitivity.ts";
export { compressUntrained, type UntrainedOptions, type UntrainedResult } from "./training/untrained.ts";
