/**
 * The public API of vdnn. `vdnn/plan`, `vdnn/compression`, `vdnn/accelerator` and `vdnn/data` have entries of their own, as training alone
 * needs none of them. What is named in none of them is internal.
 */
export {
  type BackendName,
  type BackendProbe,
  type LoadedBackend,
  loadTensorFlow,
  probeBackends,
} from "./backends/load.ts";
export { registerWasmTrainingKernels, type WasmKernelOptions, type WasmKernels } from "./backends/wasm-kernels.ts";
export { type ErrorCode, VdnnError } from "./errors.ts";
export type { Graph, GraphKernel, GraphTensor, KernelIndex, Pass, Role, TensorIndex } from "./graph/graph.ts";
export {
  type Batch,
  findNetwork,
  type Network,
  type NetworkOptions,
  networks,
  type NetworkSettings,
} from "./networks/index.ts";
export { attach, virtualize } from "./platforms/node.ts";
export type {
  CounterEvent,
  IterationResult,
  IterationTotals,
  Lane,
  LaneEvent,
  PlanSummary,
  SessionReport,
  TraceEvent,
} from "./report/result.ts";
export type { StepTrace, TraceHistory } from "./report/history.ts";
export { type Page, renderPage } from "./report/html/page.ts";
export { type SessionFacts, sessionPage } from "./report/html/session-page.ts";
export { renderSummary } from "./report/summary.ts";
export { type ChromeEvent, type ChromeTrace, toChromeTrace } from "./report/trace-events.ts";
export type { TensorFlow } from "./runtime/engine.ts";
export type { VariableGradients } from "./runtime/awaiting.ts";
export type { SessionLogger, VirtualizeOptions } from "./runtime/options.ts";
export type { Session } from "./runtime/session.ts";
export { activeSession } from "./runtime/virtualize.ts";
export { formatBytes, parseBytes, type Size } from "./units.ts";
