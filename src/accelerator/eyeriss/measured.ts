/**
 * What Chen, Krishna, Emer, Sze, JSSC 2017 measured on the chip, tables V and VI: 1.0 V, core at 200 MHz, link at 60 MHz. The power
 * is the chip's, without DRAM. The active elements of VGG-16's CONV5-1 are 168 as in the layers beside it (a copy reads 163).
 */

export interface MeasuredLayer {
  readonly layer: string;
  readonly powerMw: number;
  readonly totalMs: number;
  readonly processingMs: number;
  readonly activePes: number;
  /** Share of the input's words that are zero. */
  readonly zeroShare: number;
  /** The table's MB of buffer traffic; taken as 2^20 bytes, with which the counts agree. The paper does not say. */
  readonly bufferMB: number;
  /** Read and written, 1e6 bytes, as the paper's own 0.0029 accesses per MAC says. */
  readonly dramMB: number;
}

export const MB_BUFFER: number = 2 ** 20;
export const MB_DRAM = 1e6;

type Row = readonly [string, number, number, number, number, number, number, number];

function measured(rows: readonly Row[]): MeasuredLayer[] {
  return rows.map(([layer, powerMw, totalMs, processingMs, activePes, zeroShare, bufferMB, dramMB]) => ({
    layer,
    powerMw,
    totalMs,
    processingMs,
    activePes,
    zeroShare,
    bufferMB,
    dramMB,
  }));
}

/** Table V, four maps: layer, mW, total and processing ms, active elements, zeros, buffer MB, DRAM MB. */
export const MEASURED_ALEXNET: readonly MeasuredLayer[] = measured([
  ["CONV1", 332, 20.9, 16.5, 154, 0.0001, 18.5, 5.0],
  ["CONV2", 288, 41.9, 39.2, 135, 0.387, 77.6, 4.0],
  ["CONV3", 266, 23.6, 21.8, 156, 0.725, 50.2, 3.0],
  ["CONV4", 235, 18.4, 16.0, 156, 0.793, 37.4, 2.1],
  ["CONV5", 236, 10.5, 10.0, 156, 0.776, 24.9, 1.3],
]);

/** Table VI, three maps, the same columns. */
export const MEASURED_VGG16: readonly MeasuredLayer[] = measured([
  ["CONV1-1", 247, 76.2, 38.0, 156, 0.016, 112.6, 15.4],
  ["CONV1-2", 218, 910.3, 810.6, 156, 0.477, 2402.8, 54.0],
  ["CONV2-1", 242, 470.3, 405.3, 156, 0.248, 1201.4, 33.4],
  ["CONV2-2", 231, 894.3, 810.8, 156, 0.387, 2402.8, 48.5],
  ["CONV3-1", 254, 241.1, 204.0, 156, 0.397, 607.4, 20.2],
  ["CONV3-2", 235, 460.9, 408.1, 156, 0.581, 1214.8, 32.2],
  ["CONV3-3", 233, 457.7, 408.1, 156, 0.587, 1214.8, 30.8],
  ["CONV4-1", 278, 135.8, 105.1, 168, 0.643, 321.8, 17.8],
  ["CONV4-2", 261, 254.8, 210.0, 168, 0.747, 643.7, 28.6],
  ["CONV4-3", 240, 246.3, 210.0, 168, 0.854, 643.7, 22.8],
  ["CONV5-1", 258, 54.3, 48.3, 168, 0.794, 90.0, 6.3],
  ["CONV5-2", 236, 53.7, 48.5, 168, 0.874, 90.0, 5.7],
  ["CONV5-3", 230, 53.7, 48.5, 168, 0.885, 90.0, 5.6],
]);

/** The last row of each table, and what the text makes of it. */
export interface MeasuredTotal {
  readonly powerMw: number;
  readonly totalMs: number;
  readonly processingMs: number;
  readonly bufferMB: number;
  readonly dramMB: number;
  readonly framesPerSecond: number;
  readonly dramWordsPerMac: number;
}

export const ALEXNET_TOTAL: MeasuredTotal = {
  powerMw: 278,
  totalMs: 115.3,
  processingMs: 103.5,
  bufferMB: 208.5,
  dramMB: 15.4,
  framesPerSecond: 34.7,
  dramWordsPerMac: 0.0029,
};

export const VGG16_TOTAL: MeasuredTotal = {
  powerMw: 236,
  totalMs: 4309.5,
  processingMs: 3755.2,
  bufferMB: 11035.8,
  dramMB: 321.1,
  framesPerSecond: 0.7,
  dramWordsPerMac: 0.0035,
};
