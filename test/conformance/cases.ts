/** The list of training cases for which vdnn must give the bits of stock TensorFlow.js. */
import type { ConformanceCase } from "./case.ts";
import { adversaries } from "./cases-adversaries.ts";
import { customCases } from "./cases-custom.ts";
import { fitCases, topologyCases } from "./cases-fit.ts";
import { gradientCases } from "./cases-gradients.ts";
import { layerOptionCases } from "./cases-layer-options.ts";
import { layerCases } from "./cases-layers.ts";
import { networkCases } from "./cases-networks.ts";
import { opCases } from "./cases-ops.ts";
import { optimizerCases } from "./cases-optimizers.ts";
import { sequenceCases } from "./cases-sequence.ts";

export { differences, whyUnsupported, type ConformanceCase, type TrainResult } from "./case.ts";

export const cases: readonly ConformanceCase[] = [
  ...layerCases,
  ...layerOptionCases,
  ...sequenceCases,
  ...topologyCases,
  ...fitCases,
  ...optimizerCases,
  ...opCases,
  ...customCases,
  ...gradientCases,
  adversaries,
  ...networkCases,
];
