/**
 * GPUs and links as data, each number with its source. FP32 rates are those of the FP32 units at boost clock: tensor cores are
 * not used, because training in TensorFlow.js is FP32; `--flops` overrides.
 *
 * Note [Link rates]
 * ~~~~~~~~~~~~~~~~~
 * Rates are what a pinned DMA copy reaches, one direction at a time; both directions together reach twice that. Measured ones
 * say so. PCIe 4 and 5 are 80 % of the signalling rate, the share that the vDNN paper measured for PCIe 3 (12.8 of 16 GB/s).
 */

export interface LinkPreset {
  readonly name: string;
  /** Each direction, GB/s (1e9 bytes per second). */
  readonly GBps: number;
  readonly source: string;
}

export interface GpuPreset {
  readonly name: string;
  readonly title: string;
  readonly memoryBytes: number;
  /** FP32, in 1e12 additions or multiplications per second. */
  readonly teraflops: number;
  /** Peak bandwidth of device memory, GB/s. */
  readonly memoryGBps: number;
  /** The first is the default. */
  readonly links: readonly string[];
  readonly source: string;
}

const GIB = 2 ** 30;
const EIGHTY_PERCENT = "80 % of the signalling rate, as measured for PCIe 3 in the vDNN paper; an assumption";

export const LINKS: readonly LinkPreset[] = [
  { name: "pcie3", GBps: 12.8, source: "measured: Rhu et al., MICRO 2016, section IV" },
  { name: "pcie4", GBps: 25.6, source: EIGHTY_PERCENT },
  { name: "pcie5", GBps: 51.2, source: EIGHTY_PERCENT },
  {
    name: "nvlink1",
    GBps: 33.2,
    source: "IBM S822LC, two links of 20 GB/s; 83 % efficiency as IBM claims (AnandTech, POWER8 part 2, 2016)",
  },
  {
    name: "nvlink2",
    GBps: 68,
    source: "measured: IBM AC922 with four V100, three links of 25 GB/s (The Next Platform, 2017-12-15)",
  },
  { name: "nvlink-c2c", GBps: 360, source: `450 GB/s each way (NVIDIA Grace Hopper whitepaper); ${EIGHTY_PERCENT}` },
];

export const GPUS: readonly GpuPreset[] = [
  {
    name: "titan-x",
    title: "GeForce GTX Titan X (Maxwell)",
    memoryBytes: 12 * GIB,
    teraflops: 6.6,
    memoryGBps: 336.5,
    links: ["pcie3"],
    source:
      "3072 cores at 1075 MHz boost (HotHardware review, 2015); NVIDIA's and the vDNN paper's 7 TFLOPS is rounded up",
  },
  {
    name: "k40",
    title: "Tesla K40",
    memoryBytes: 12 * GIB,
    teraflops: 5.04,
    memoryGBps: 288,
    links: ["pcie3"],
    source: "2880 cores at 875 MHz boost (NVIDIA V100 whitepaper, table 1); K40 board specification",
  },
  {
    name: "gtx-980ti",
    title: "GeForce GTX 980 Ti",
    memoryBytes: 6 * GIB,
    teraflops: 6.06,
    memoryGBps: 336.5,
    links: ["pcie3"],
    source: "NVIDIA: 2816 cores at 1075 MHz",
  },
  {
    name: "gtx-1080ti",
    title: "GeForce GTX 1080 Ti",
    memoryBytes: 11 * GIB,
    teraflops: 11.34,
    memoryGBps: 484,
    links: ["pcie3"],
    source: "NVIDIA: 3584 cores at 1582 MHz",
  },
  {
    name: "rtx-2080ti",
    title: "GeForce RTX 2080 Ti",
    memoryBytes: 11 * GIB,
    teraflops: 13.45,
    memoryGBps: 616,
    links: ["pcie3"],
    source: "NVIDIA: 4352 cores at 1545 MHz",
  },
  {
    name: "rtx-3090",
    title: "GeForce RTX 3090",
    memoryBytes: 24 * GIB,
    teraflops: 35.58,
    memoryGBps: 936,
    links: ["pcie4"],
    source: "NVIDIA GA102 whitepaper: 10496 cores at 1695 MHz",
  },
  {
    name: "rtx-4090",
    title: "GeForce RTX 4090",
    memoryBytes: 24 * GIB,
    teraflops: 82.58,
    memoryGBps: 1008,
    links: ["pcie4"],
    source: "NVIDIA Ada whitepaper: 16384 cores at 2520 MHz",
  },
  {
    name: "p100",
    title: "Tesla P100 SXM2",
    memoryBytes: 16 * GIB,
    teraflops: 10.6,
    memoryGBps: 720,
    links: ["pcie3", "nvlink1"],
    source: "NVIDIA V100 whitepaper, table 1; NVLink to the host exists on POWER8 alone",
  },
  {
    name: "v100",
    title: "Tesla V100 SXM2",
    memoryBytes: 16 * GIB,
    teraflops: 15.7,
    memoryGBps: 900,
    links: ["pcie3", "nvlink2"],
    source: "NVIDIA V100 whitepaper, table 1; NVLink to the host exists on POWER9 alone",
  },
  {
    name: "a100",
    title: "A100 SXM4 40 GB",
    memoryBytes: 40 * GIB,
    teraflops: 19.5,
    memoryGBps: 1555,
    links: ["pcie4"],
    source: "NVIDIA A100 datasheet",
  },
  {
    name: "a100-80",
    title: "A100 SXM4 80 GB",
    memoryBytes: 80 * GIB,
    teraflops: 19.5,
    memoryGBps: 2039,
    links: ["pcie4"],
    source: "NVIDIA A100 datasheet",
  },
  {
    name: "h100",
    title: "H100 SXM5 80 GB",
    memoryBytes: 80 * GIB,
    teraflops: 66.9,
    memoryGBps: 3350,
    links: ["pcie5"],
    source: "NVIDIA H100 datasheet",
  },
  {
    name: "h200",
    title: "H200 SXM 141 GB",
    memoryBytes: 141e9,
    teraflops: 66.9,
    memoryGBps: 4800,
    links: ["pcie5"],
    source: "NVIDIA H200 datasheet",
  },
  {
    name: "gh200",
    title: "GH200 Grace Hopper 96 GB",
    memoryBytes: 96e9,
    teraflops: 66.9,
    memoryGBps: 4000,
    links: ["nvlink-c2c"],
    source: "NVIDIA GH200 datasheet",
  },
];
