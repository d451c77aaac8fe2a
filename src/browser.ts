/**
 * The public API of vdnn in a browser: training under a budget. `vdnn/plan`, `vdnn/networks` and `vdnn/report` are entries of their own, so that
 * a page loads them only when it needs them.
 */
export {
  type BackendFailure,
  type BrowserBackendName,
  type BrowserLoadOptions,
  type LoadedInBrowser,
  loadTensorFlow,
} from "./backends/load-browser.ts";
export type { WasmKernelOptions } from "./backends/wasm-kernels.ts";
export { type ErrorCode, VdnnError } from "./errors.ts";
export type { Graph, GraphKernel, GraphTensor, KernelIndex, Pass, Role, TensorIndex } from "./graph/graph.ts";
export { virtualize } from "./platforms/browser.ts";
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
export type { TensorFlow } from "./runtime/engine.ts";
export type { VariableGradients } from "./runtime/awaiting.ts";
export type { SessionLogger, VirtualizeOptions } from "./runtime/options.ts";
export type { Session } from "./runtime/session.ts";
export { formatBytes, parseBytes, type Size } from "./units.ts";
