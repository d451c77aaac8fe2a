/**
 * What EIE's paper publishes (Han et al., ISCA 2016), as data: tables III and IV at batch 1, and figures of its abstract and table V.
 * The times of the other machines are those of table IV.
 */

/** Batch 1, µs: the dense kernel (MKL, cuBLAS) and the sparse one (MKL, cuSPARSE). */
export interface HostTimes {
  readonly denseUs: number;
  readonly sparseUs: number;
}

export interface PublishedLayer {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Shares that are not zero, of the data set (table III). */
  readonly weightDensity: number;
  readonly activationDensity: number;
  /** EIE with perfect balance, and as simulated at a queue of 8 (table IV). */
  readonly theoreticalUs: number;
  readonly actualUs: number;
  readonly cpu: HostTimes;
  readonly gpu: HostTimes;
  readonly mobileGpu: HostTimes;
}

/** Core i7-5930K, GeForce GTX Titan X, Jetson TK1. */
export const HOSTS = ["cpu", "gpu", "mobileGpu"] as const;
export type Host = (typeof HOSTS)[number];

type Row = readonly [
  name: string,
  sizes: readonly [inputs: number, outputs: number],
  densities: readonly [weights: number, activations: number],
  eieUs: readonly [theoretical: number, actual: number],
  cpuUs: readonly [dense: number, sparse: number],
  gpuUs: readonly [dense: number, sparse: number],
  mobileGpuUs: readonly [dense: number, sparse: number],
];

const ROWS: readonly Row[] = [
  ["Alex-6", [9216, 4096], [0.09, 0.351], [28.1, 30.3], [7516, 3067], [541.5, 134.8], [12_437, 2879]],
  ["Alex-7", [4096, 4096], [0.09, 0.353], [11.7, 12.2], [6187, 1282], [243, 65.8], [5765, 1257]],
  ["Alex-8", [4096, 1000], [0.25, 0.375], [8.9, 9.9], [1135, 891], [80.5, 54.6], [2252, 837]],
  ["VGG-6", [25_088, 4096], [0.04, 0.183], [28.1, 34.4], [35_023, 3774], [1468, 167], [35_427, 4377]],
  ["VGG-7", [4096, 4096], [0.04, 0.375], [7.9, 8.7], [5373, 545], [243, 39.8], [5544, 626]],
  ["VGG-8", [4096, 1000], [0.23, 0.411], [7.3, 8.4], [774, 777], [80.5, 48], [2243, 745]],
  ["NT-We", [4096, 600], [0.1, 1], [5.2, 8], [605, 261], [65, 17.7], [1316, 241]],
  ["NT-Wd", [600, 8791], [0.11, 1], [13, 13.9], [1361, 437], [90.1, 41.1], [2566, 571]],
  ["NT-LSTM", [1201, 2400], [0.1, 1], [6.5, 7.5], [471, 260], [51.9, 18.5], [957, 315]],
];

function hostTimes([denseUs, sparseUs]: readonly [number, number]): HostTimes {
  return { denseUs, sparseUs };
}

export const TABLE_IV: readonly PublishedLayer[] = ROWS.map(
  ([name, [inputs, outputs], [weightDensity, activationDensity], [theoreticalUs, actualUs], cpu, gpu, mobileGpu]) => ({
    name,
    inputs,
    outputs,
    weightDensity,
    activationDensity,
    theoreticalUs,
    actualUs,
    cpu: hostTimes(cpu),
    gpu: hostTimes(gpu),
    mobileGpu: hostTimes(mobileGpu),
  }),
);

/** "189×, 13× and 307× faster" than each host with the dense model (abstract and section VI). */
export const PUBLISHED_SPEEDUPS: Readonly<Record<Host, number>> = { cpu: 189, gpu: 13, mobileGpu: 307 };

/** As printed: the chip; AlexNet's three layers (abstract); Alex-7 alone (table V). */
export const PUBLISHED_CHIP_W = 0.59;
export const PUBLISHED_ALEXNET_FPS = 1.88e4;
export const PUBLISHED_ALEX7_FPS = 81_967;
export const PUBLISHED_ALEX7_FRAMES_PER_JOULE = 138_927;

/**
 * The authors' own simulator on its own Alex-8 (RalphMao/EIE-simulator): cycles by registers of the queue. Its image has more
 * activations than the data set's mean: 42.9 % of them are not zero, table III has 37.5 %.
 */
export const ALEX8_CYCLES: Readonly<Record<number, number>> = {
  2: 10_194,
  3: 8827,
  4: 8386,
  5: 8160,
  6: 8018,
  8: 7926,
  9: 7896,
  12: 7822,
  16: 7794,
  32: 7794,
};

export interface Throughput {
  readonly framesPerSecond: number;
  readonly framesPerJoule: number;
}

/** Layers one after the other at a constant power, as the paper counts energy. */
export function throughputOf(us: readonly number[], watts: number): Throughput {
  const framesPerSecond = 1e6 / us.reduce((sum, each) => sum + each, 0);
  return { framesPerSecond, framesPerJoule: framesPerSecond / watts };
}

/** Geometric mean over layers of a host's dense time over EIE's. */
export function speedupOver(host: Host, eieUs: (layer: PublishedLayer) => number): number {
  const logs = TABLE_IV.map((layer) => Math.log(layer[host].denseUs / eieUs(layer)));
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}
