/** Planning without training: `makePlan` from a graph, a machine and a policy. Pure, in Node.js and in browsers. */
export type { Graph, GraphKernel, GraphTensor, KernelIndex, Pass, Role, TensorIndex } from "../graph/graph.ts";
export { type Lifetime, lifetimes } from "../graph/lifetimes.ts";
export { type MadePlan, makePlan } from "./make.ts";
export type { Plan, PlanStep, Prediction, Tier } from "./plan.ts";
export { type AutoOptions, autoPolicy } from "./policies/auto.ts";
export { findPolicy, policies } from "./policies/index.ts";
export type { Effort, Machine, Policy, PolicyDecision } from "./policy.ts";
export { type Validation, validate } from "./validate.ts";
