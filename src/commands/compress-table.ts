/** What `vdnn compress` prints: accuracy and size stage by stage, and the layers as Deep Compression's tables have them. */
import type { LayerSize, ModelSize } from "../compression/size/account.ts";
import type { LayerSensitivity, Sensitivities } from "../compression/training/sensitivity.ts";
import { type Column, renderTable } from "../report/table.ts";
import { formatBytes } from "../units.ts";
import type { CompressFacts } from "./compress.ts";
import type { TrainedCompression } from "./compress-train.ts";
import { wrapped } from "./infer-text.ts";

export function renderCompression(facts: CompressFacts): string {
  const { result, training } = facts;
  const sensitivities = sensitivitiesShown(facts);
  return [
    ...heading(facts),
    "",
    ...(training === null ? [] : [...renderTable(stageColumns(result.denseBytes), stages(facts, training)), ""]),
    ...renderTable(LAYER_COLUMNS, layerRows(result.size)),
    "",
    ...(sensitivities === null
      ? []
      : [
          sensitivityCaption(sensitivities),
          ...renderTable(sensitivityColumns(sensitivities), sensitivities.layers),
          "",
        ]),
    ...closing(facts).flatMap((line) => (line === "" ? [""] : wrapped(line))),
    "",
  ].join("\n");
}

/** Null where they were not asked for, or not measured. */
export function sensitivitiesShown({ showSensitivities, training }: CompressFacts): Sensitivities | null {
  return showSensitivities ? (training?.sensitivities ?? null) : null;
}

export function heading({ subject, result, training }: CompressFacts): string[] {
  const { size, denseBytes } = result;
  const first = `${subject.name}: ${size.weights} weights in ${size.layers.length} layers to compress; all weights as floats: ${formatBytes(denseBytes)}`;
  if (training === null) return [`${first}; compressed as it is, nothing trained or measured`];
  const { images, epochs, report, wallMs } = training;
  const { policy, deviceMemoryBytes, peakDeviceBytes } = report;
  const budget = deviceMemoryBytes === null ? "no budget" : `a budget of ${formatBytes(deviceMemoryBytes)}`;
  return [
    first,
    `${images.title}: ${images.train} images to train on, ${images.test} others to measure on` +
      (epochs === 0 ? "" : `; trained here for ${epochs} epochs first`),
    `backend ${subject.backend}, policy ${policy}, ${budget}, device peak ${formatBytes(peakDeviceBytes)}, ${(wallMs / 1000).toFixed(0)} s`,
  ];
}

export interface Stage {
  readonly stage: string;
  readonly accuracy: number;
  /** Null where it has no size of its own. */
  readonly bytes: number | null;
}

export function stages({ result, fileBytes }: CompressFacts, training: TrainedCompression): Stage[] {
  const { size, denseBytes } = result;
  const { dense, pruned, retrained, shared, fineTuned, loaded } = training.result.accuracy;
  const isPruned = size.kept < size.weights;
  return [
    { stage: "dense", accuracy: dense, bytes: denseBytes },
    ...training.quantized.map(({ precision, accuracy, bytes }) => ({
      stage: `dense, weights as ${precision}`,
      accuracy,
      bytes,
    })),
    ...(isPruned
      ? [
          { stage: `pruned to ${percent(size.kept / size.weights)}`, accuracy: pruned, bytes: null },
          { stage: "retrained", accuracy: retrained, bytes: null },
        ]
      : []),
    { stage: "weights shared", accuracy: shared, bytes: null },
    { stage: "shared weights trained", accuracy: fineTuned, bytes: null },
    { stage: "loaded from the file", accuracy: loaded, bytes: fileBytes },
  ];
}

export function stageColumns(denseBytes: number): Column<Stage>[] {
  return [
    { title: "stage", align: "left", cell: ({ stage }) => stage },
    { title: "accuracy", cell: ({ accuracy }) => percent(accuracy, 2) },
    { title: "size", cell: ({ bytes }) => (bytes === null ? "" : formatBytes(bytes)) },
    { title: "smaller", cell: ({ bytes }) => (bytes === null ? "" : times(denseBytes / bytes)) },
  ];
}

/** A layer, or the sum of all of them. */
export type SizeRow = LayerSize | ModelSize;

export function layerRows(size: ModelSize): SizeRow[] {
  return [...size.layers, size];
}

const ofLayer = (text: (layer: LayerSize) => string) => (row: SizeRow) => ("layers" in row ? "" : text(row));

/** Those of tables 2 to 5 of Deep Compression. */
export const LAYER_COLUMNS: readonly Column<SizeRow>[] = [
  { title: "layer", align: "left", cell: (row) => ("layers" in row ? "total" : row.name.replace(/\/kernel$/, "")) },
  { title: "weights", cell: ({ weights }) => String(weights) },
  { title: "kept", cell: ({ kept, weights }) => percent(kept / weights) },
  { title: "bits P+Q", cell: ofLayer(({ weightBits }) => String(weightBits)) },
  { title: "+H", cell: ofLayer(({ weightBitsHuffman }) => weightBitsHuffman.toFixed(1)) },
  { title: "index P+Q", cell: ofLayer(({ indexBits }) => String(indexBits)) },
  { title: "+H", cell: ofLayer(({ indexBitsHuffman }) => indexBitsHuffman.toFixed(1)) },
  { title: "rate P+Q", cell: ({ bits }) => percent(bits.shared / bits.dense, 2) },
  { title: "+H", cell: ({ bits }) => percent(bits.huffman / bits.dense, 2) },
];

export function sensitivityCaption({ dense }: Sensitivities): string {
  return `Accuracy when one layer is pruned and nothing retrained, on training images (dense: ${percent(dense)})`;
}

export function sensitivityColumns({ layers }: Sensitivities): Column<LayerSensitivity>[] {
  const shares = layers[0]?.points.map(({ share }) => share) ?? [];
  return [
    { title: "pruned alone to", align: "left", cell: ({ name }) => name },
    ...shares.map((share, i) => ({
      title: `${Number((share * 100).toFixed(1))}%`,
      cell: ({ points }: LayerSensitivity) => percent(points[i]?.accuracy ?? Number.NaN),
    })),
  ];
}

export function closing({ result, output, fileBytes, huffman, training, subject }: CompressFacts): string[] {
  const { size, denseBytes, leftDense } = result;
  const paper = size.bits.dense / (huffman ? size.bits.huffman : size.bits.shared);
  return [
    `${output}: ${formatBytes(fileBytes)}, ${times(denseBytes / fileBytes)} smaller than all weights as floats; ` +
      `as the paper counts, kernels alone: ${times(paper)}`,
    ...leftDense.map(({ name, kind, weights, reason }) => `left as it is: ${name}, ${kind} of ${weights}: ${reason}`),
    "",
    "P+Q: pruned and shared; +H: Huffman-coded" +
      (huffman ? "" : ", which the file is not (--huffman)") +
      ". Bits are per kept weight; rates are of the layer's floats, with its codebook." +
      (training === null && subject.origin === "network" ? " The weights are random, as nothing was trained." : ""),
  ];
}

export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)}%`;
}

export function times(ratio: number): string {
  return `${ratio.toFixed(1)} x`;
}
