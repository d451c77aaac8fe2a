/**
 * The public API of vdnn. `vdnn/compression`, `vdnn/accelerator` and `vdnn/data` have entries of their own, as training alone needs
 * none of them. What is not named in one of the four is internal.
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
export { type Lifetime, lifetimes } from "./graph/lifetimes.ts";
export {
  type Batch,
  findNetwork,
  type Network,
  type NetworkOptions,
  networks,
  type NetworkSettings,
} from "./networks/index.ts";
export { type MadePlan, makePlan } from "./plan/make.ts";
export type { Plan, PlanStep, Prediction, Tier } from "./plan/plan.ts";
export type { Machine, Policy, PolicyDecision } from "./plan/policy.ts";
export { findPolicy, policies } from "./plan/policies/index.ts";
export { attach, virtualize } from "./platforms/node.ts";
export { validate } from "./plan/validate.ts";
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
