/** Iterations of built-in networks for the simulator's tests, made once each. */
import * as tf from "@tensorflow/tfjs";
import { plannerMachine, type SimulatedMachine, simulatedMachine } from "../../src/simulator/machines.ts";
import { networkGraph, type NetworkGraphOptions } from "../../src/simulator/networks.ts";
import type { PaperSetting } from "../../src/simulator/paper.ts";
import type { WorkGraph } from "../../src/simulator/work.ts";

export const TITAN_X: SimulatedMachine = simulatedMachine({ gpu: "titan-x" });
const made = new Map<string, WorkGraph>();

export function workGraph(network: string, batch: number, options: Partial<NetworkGraphOptions> = {}): WorkGraph {
  const key = JSON.stringify([network, batch, options]);
  const work = made.get(key) ?? networkGraph(tf, { network, batch, ...options });
  made.set(key, work);
  return work;
}

export function paperSetting(work: WorkGraph, machine: SimulatedMachine = TITAN_X): PaperSetting {
  return { work, machine, planner: plannerMachine(machine), workspaceLimitBytes: 4 * 2 ** 30 };
}
