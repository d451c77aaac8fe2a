/**
 * `vdnn/accelerator`: simulated accelerators: as TensorFlow.js backends that compute on their own arithmetic, and as models of what a
 * layer costs on them.
 */
export { type ClaimCheck, jetsonClaim } from "./claims.ts";
export { ENERGY_PARTS, type EnergyPart, type LayerCost, MEMORY_LEVELS, type MemoryLevel } from "./cost.ts";
export { DENSE, type Densities, inputsOf, type LayerShape, macsOf, outputsOf, weightsOf } from "./layer.ts";
export { ACCELERATOR_ENERGY, DEFAULT_ENERGY, energyNamed } from "./energy-data.ts";
export { checkEnergy, readEnergy } from "./energy-file.ts";
export { type AcceleratorEnergy, type Precision, PRECISIONS } from "./energy.ts";
export { type CostTotals, totalsOf } from "./totals.ts";

export { type AcceleratorName, ACCELERATORS } from "./backend/presets.ts";
export type { AcceleratedLayer, HostOp, MacCounts, Saturation } from "./backend/records.ts";
export { type Accelerator, type AcceleratorOptions, registerAccelerator } from "./backend/register.ts";

export { modelCost, type ModelCostOptions } from "./infer/model-cost.ts";
export type { HostCost } from "./infer/host.ts";
export type { LayerResult, NetworkCost } from "./infer/network-cost.ts";

export { eyerissCost, type EyerissCost, type EyerissOptions } from "./eyeriss/cost.ts";
export { EYERISS_CHIP, eyerissHardware, type EyerissHardware } from "./eyeriss/hardware.ts";
export type { Mapping } from "./eyeriss/mapping.ts";
export { bestMapping } from "./eyeriss/search.ts";

export { eieCost, type EieCost, type EieCostOptions } from "./eie/cost.ts";
export { type CodedMatrix, encodeLayer, fromCompressed } from "./eie/encode.ts";
export type { EieLayer } from "./eie/layer.ts";
export { EIE, type EieMachine } from "./eie/machine.ts";
export { readLayerDirectory } from "./eie/read-directory.ts";
export { type EieLayerReport, runLayerDirectory } from "./eie/run-directory.ts";
export { efficiencyOf, type EieCounts, type EieOptions, type EieRun, simulate as simulateEie } from "./eie/simulate.ts";
export { writeLayerDirectory } from "./eie/write-directory.ts";

export { type ArrayOptions, sameArea } from "./dataflows/area.ts";
export { cheapest, type Dataflow, type DataflowCost, type DataflowName } from "./dataflows/dataflow.ts";
export { compareDataflows, type DataflowComparison, dataflowNamed, DATAFLOWS } from "./dataflows/index.ts";
