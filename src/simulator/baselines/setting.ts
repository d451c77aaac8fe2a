/**
 * The machine that G10 (Zhang et al., MICRO 2023) evaluates on, and what its simulator knows beyond a machine. One set of numbers
 * for all networks and all baselines, none fitted to a result.
 *
 * Source: `src/resources/genconfigs.py` and `src/simulationComponents.cc` of platformxlab/G10 (Apache-2.0; read, not copied).
 *
 * Note [Fault latency]
 * ~~~~~~~~~~~~~~~~~~~~
 * The artifact has 45 us for a fault and a profile of every kernel with its pages away, but neither matters to its results. The
 * latency appears only as a factor on rates that are cut to the link's. The profile's times are taken by dividing integers
 * (`pf_execution_cycles / GPU_frequency_Hz`), which leaves whole seconds: what a kernel takes below one second counts as 0, and a time
 * of 0 is read as a rate without limit. So faults are served at the link's rate, one after the other, after which the kernel's own
 * time follows; that is what is done here. Of the traces here Inceptionv3 has kernels of whole seconds in its profile (ViT has none,
 * ResNet152's was not looked at): with that profile put in, `lru` comes within 0.01 % of what is published, without it within
 * 1.2 %; `deepUM` within 2.3 % and 8.7 %.
 */
import { GIB } from "../../units.ts";

export interface G10Setting {
  readonly deviceBytes: number;
  readonly hostBytes: number;
  /** The GPU's link, each direction. Host and SSD share it. */
  readonly linkGBps: number;
  readonly ssdGBps: number;
  readonly pageBytes: number;
  /** Pages that enter the link at once (`PCIe_batch_size_page`), and how many of them may be the SSD's: 50 * 3.2 / 15.754, cut. */
  readonly batchPages: number;
  readonly ssdBatchPages: number;
  /** Kernels that DeepUM looks ahead. */
  readonly prefetchDegree: number;
}

export const G10_SETTING: G10Setting = {
  deviceBytes: 40 * GIB,
  hostBytes: 128 * GIB,
  linkGBps: 15.754,
  ssdGBps: 3.2,
  pageBytes: 4096,
  batchPages: 50,
  ssdBatchPages: 10,
  prefetchDegree: 8,
};
