/**
 * What G10 (Zhang et al., MICRO 2023) publishes for the networks whose traces are here, as data: cycles of a 1.2 GHz clock, from
 * `example_results/overall_batchsize` of platformxlab/G10 (Apache-2.0), and bytes of all tensors over 40 GiB from
 * `example_results/overall_performance`. Null: the policy gives up. The setting is 40 GiB of GPU memory, 15.754 GB/s each way,
 * 128 GiB of host memory and an SSD of 3.2 GB/s.
 *
 * The script that gathers them (`src/resources/gatherKernelInfo.py`) simulates two iterations and takes the faster one: for `lru` that
 * is the second for ViT, but the first, from a cold start, for the others.
 */

const CYCLES_PER_MS = 1.2e6;

export interface G10Published {
  readonly lruMs: number;
  readonly flashNeuronMs: number | null;
  readonly deepUmMs: number;
  readonly g10Ms: number;
  readonly idealMs: number;
}

export interface G10Network {
  readonly name: string;
  /** File of the trace, and the batch size that it was taken at. */
  readonly file: string;
  readonly tracedBatch: number;
  /** One of the batches of G10's own mean, and the bytes of its tensors in % of 40 GiB. */
  readonly main: { readonly batch: number; readonly memoryPercent: number };
  readonly cells: Readonly<Record<number, G10Published>>;
}

/** Mean of ideal over step time under G10, as published, over five networks of which two have no trace here. */
export const G10_PUBLISHED_MEAN = 0.912;

type Row = readonly [lru: number, flashNeuron: number | null, deepUm: number, g10: number, ideal: number];

function cells(rows: Readonly<Record<number, Row>>): Readonly<Record<number, G10Published>> {
  const ms = (cycles: number): number => cycles / CYCLES_PER_MS;
  return Object.fromEntries(
    Object.entries(rows).map(([batch, [lru, flashNeuron, deepUm, g10, ideal]]) => [
      batch,
      {
        lruMs: ms(lru),
        flashNeuronMs: flashNeuron === null ? null : ms(flashNeuron),
        deepUmMs: ms(deepUm),
        g10Ms: ms(g10),
        idealMs: ms(ideal),
      },
    ]),
  );
}

export const G10_NETWORKS: readonly G10Network[] = [
  {
    name: "ViT",
    file: "g10-VIT-512.json.gz",
    tracedBatch: 512,
    main: { batch: 1280, memoryPercent: 461.11 },
    cells: cells({
      512: [9130997171, 3046776000, 3658386673, 3046857122, 3046779498],
      768: [13461050398, 3483071999, 5185388382, 3483108604, 3483077226],
      1024: [17966709814, 6322764000, 6937327671, 5321021687, 3919374961],
      1280: [29519610761, null, 9069040214, 6647685439, 4459141336],
    }),
  },
  {
    name: "Inceptionv3",
    file: "g10-Inceptionv3-1280.json.gz",
    tracedBatch: 1280,
    main: { batch: 1536, memoryPercent: 1969.46 },
    cells: cells({
      512: [117365755337, 64334880000, 64418641013, 64660726103, 64334907021],
      768: [171787706192, 76461120000, 68571753293, 67778637737, 67755018354],
      1024: [228619078837, 96826560000, 77282983645, 71623659498, 71175129706],
      1280: [281790221558, 120602400000, 89416665795, 73042083515, 71939325757],
      1536: [337188727906, null, 106402260905, 73303772339, 71633241480],
      1792: [420596517873, null, 115541481020, 84114846477, 71327218061],
    }),
  },
  {
    name: "ResNet152",
    file: "g10-ResNet152-768.json.gz",
    tracedBatch: 768,
    main: { batch: 1280, memoryPercent: 2715.45 },
    cells: cells({
      256: [167654684435, 127328400000, 127328819564, 127337222181, 127328819564],
      512: [254437688799, 132902400000, 130104165057, 130306919425, 130102121477],
      768: [348565870120, 149685600000, 135031635971, 131972689921, 131772813229],
      1024: [453725543778, 176937600000, 143114819385, 133620599659, 133443504983],
      1280: [562689016883, 210313199999, 158428482477, 137304113890, 135107260924],
    }),
  },
];
