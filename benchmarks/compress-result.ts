/** The result of compress.ts, what the paper has for the same networks, and the tables. */
import type { StageAccuracies } from "../src/compression/training/compress.ts";
import type { QuantizedResult } from "../src/compression/training/quantized.ts";
import type { LayerSize, ModelSize } from "../src/compression/size/account.ts";
import { formatBytes } from "../src/units.ts";
import type { Environment, Table } from "./harness.ts";

export const COMPRESS_NETWORKS = ["lenet300", "lenet5"] as const;
export type CompressNetwork = (typeof COMPRESS_NETWORKS)[number];

/** Han, Mao, Dally, ICLR 2016, tables 1 to 3, on MNIST. Shares and rates in percent of the dense layer. */
export interface PublishedCompression {
  readonly ratio: number;
  /** Top-1 error in percent, dense and compressed. */
  readonly error: readonly [number, number];
  readonly layers: Readonly<Record<string, { readonly kept: number; readonly rate: number }>>;
}

export const PUBLISHED: Readonly<Record<CompressNetwork, PublishedCompression>> = {
  lenet300: {
    ratio: 40,
    error: [1.64, 1.58],
    layers: { ip1: { kept: 8, rate: 2.32 }, ip2: { kept: 9, rate: 3.04 }, ip3: { kept: 26, rate: 12.7 } },
  },
  lenet5: {
    ratio: 39,
    error: [0.8, 0.74],
    layers: {
      conv1: { kept: 66, rate: 67.45 },
      conv2: { kept: 12, rate: 5.28 },
      ip1: { kept: 8, rate: 2.45 },
      ip2: { kept: 19, rate: 6.13 },
    },
  },
};

export interface CompressTrial {
  readonly seed: number;
  readonly accuracy: StageAccuracies;
  readonly size: ModelSize;
  readonly fileBytes: number;
  /** All weights and biases as floats. */
  readonly denseBytes: number;
  /** Of the dense network, before anything is pruned. */
  readonly quantized: readonly QuantizedResult[];
  readonly trainingMs: number;
  readonly compressionMs: number;
  /** The ledger's peak over all of it. */
  readonly peakDeviceBytes: number;
}

export interface CompressResult {
  readonly schema: "vdnn-bench-compress/1";
  readonly question: string;
  readonly environment: Environment;
  readonly network: CompressNetwork;
  /** "drawn digits" or the folder of IDX files. */
  readonly data: string;
  readonly trainImages: number;
  readonly testImages: number;
  readonly keep: number;
  readonly deviceMemory: string | null;
  readonly trials: readonly CompressTrial[];
}

export function compressTables(result: CompressResult): Table[] {
  return [accuracyTable(result), ...result.trials.slice(0, 1).map((trial) => layerTable(result, trial))];
}

/** Dense floats over the whole file: header, topology, biases, codebooks and Huffman tables included. */
export function fileRatio({ denseBytes, fileBytes }: CompressTrial): number {
  return denseBytes / fileBytes;
}

/** As the paper counts: kernels only, without Huffman tables. */
export function paperRatio({ size: { bits } }: Pick<CompressTrial, "size">): number {
  return bits.dense / bits.huffman;
}

function accuracyTable({ network, data, trainImages, testImages, keep, deviceMemory, trials }: CompressResult): Table {
  const { ratio, error } = PUBLISHED[network];
  return {
    caption:
      `Accuracy and size of ${network}, measured: trained, pruned to ${percent(keep)} of its weights, shared and coded under vdnn` +
      `${deviceMemory === null ? "" : ` in ${deviceMemory} of device memory`}, on ${data}, ${trainImages} to train on and ` +
      `${testImages} to measure on. fp16 and int8: the dense weights rounded, nothing pruned. File: all of it, against all weights as ` +
      `floats; paper's: as Deep Compression counts, kernels only. Deep Compression on MNIST: ${percent(1 - error[0] / 100)} to ` +
      `${percent(1 - error[1] / 100)} at ${ratio} x.`,
    header: [
      "seed",
      "dense",
      "fp16",
      "int8",
      "pruned",
      "retrained",
      "shared",
      "tuned",
      "loaded",
      "file",
      "file x",
      "paper's x",
      "s",
    ],
    rows: trials.map((trial) => {
      const { seed, accuracy, quantized, fileBytes, trainingMs, compressionMs } = trial;
      const rounded = (precision: string): string => {
        const found = quantized.find((each) => each.precision === precision);
        return found === undefined ? "" : percent(found.accuracy);
      };
      return [
        String(seed),
        percent(accuracy.dense),
        rounded("fp16"),
        rounded("int8"),
        percent(accuracy.pruned),
        percent(accuracy.retrained),
        percent(accuracy.shared),
        percent(accuracy.fineTuned),
        percent(accuracy.loaded),
        formatBytes(fileBytes),
        fileRatio(trial).toFixed(1),
        paperRatio(trial).toFixed(1),
        ((trainingMs + compressionMs) / 1000).toFixed(0),
      ];
    }),
  };
}

function layerTable({ network }: CompressResult, { seed, size }: CompressTrial): Table {
  const { layers } = PUBLISHED[network];
  return {
    caption:
      `The layers of seed ${seed}, as tables 2 and 3 of Deep Compression count them. P+Q: pruned and shared; +H: Huffman-coded. Rates are of the ` +
      "dense layer. Paper: published for MNIST.",
    header: ["layer", "weights", "kept", "paper", "code bits", "+H", "index bits", "+H", "rate P+Q", "+H", "paper"],
    rows: [
      ...size.layers.map((layer) => {
        const published = layers[layer.name.split("/")[0] ?? ""];
        return [...sizeCells(layer, published?.kept), published === undefined ? "" : `${published.rate.toFixed(2)} %`];
      }),
      [
        "total",
        String(size.weights),
        percent(size.kept / size.weights),
        ...Array.from({ length: 5 }, () => ""),
        percent(size.bits.shared / size.bits.dense, 2),
        percent(size.bits.huffman / size.bits.dense, 2),
        `${(100 / PUBLISHED[network].ratio).toFixed(2)} %`,
      ],
    ],
  };
}

function sizeCells(layer: LayerSize, publishedKept: number | undefined): string[] {
  const { name, weights, kept, weightBits, weightBitsHuffman, indexBits, indexBitsHuffman, bits } = layer;
  return [
    name.split("/")[0] ?? name,
    String(weights),
    percent(kept / weights),
    publishedKept === undefined ? "" : `${publishedKept} %`,
    String(weightBits),
    weightBitsHuffman.toFixed(2),
    String(indexBits),
    indexBitsHuffman.toFixed(2),
    percent(bits.shared / bits.dense, 2),
    percent(bits.huffman / bits.dense, 2),
  ];
}

function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}
