/**
 * SqueezeNet's parameters, table 1 of Iandola et al., arXiv:1602.07360: counted from the layers' shapes, and after Deep Compression
 * from the share of each that the table keeps.
 */
import { SQUEEZENET_LAYERS } from "../flat/squeezenet.ts";
import { sizeOf } from "../model.ts";

export interface ParameterCount {
  /** `conv1`, `fire2`, …: one row of the table. */
  readonly name: string;
  /** Weights and biases. */
  readonly parameters: number;
  readonly afterPruning: number;
}

/**
 * Percent of the weights of each kind of layer that stay (table 1); of the others all. The 30 in fire8 is what its count and the
 * authors' file tell.
 */
const KEPT_PERCENT: Readonly<Record<string, number>> = {
  expand3x3: 33,
  "fire8/expand3x3": 30,
  "fire9/expand3x3": 30,
  "fire6/expand1x1": 50,
  "fire8/expand1x1": 50,
  "fire7/squeeze1x1": 50,
  "fire9/squeeze1x1": 50,
  conv10: 20,
};

export function squeezenetParameters(): ParameterCount[] {
  const rows = new Map<string, { parameters: number; keptHundredths: number }>();
  for (const { name, shape } of SQUEEZENET_LAYERS) {
    const [module = name, part = ""] = name.split("/");
    const row = rows.get(module) ?? { parameters: 0, keptHundredths: 0 };
    const [weights, biases] = [sizeOf(shape), shape[0] ?? 0];
    row.parameters += weights + biases;
    row.keptHundredths += weights * (KEPT_PERCENT[name] ?? KEPT_PERCENT[part] ?? 100) + 100 * biases;
    rows.set(module, row);
  }
  return [...rows].map(([name, { parameters, keptHundredths }]) => ({
    name,
    parameters,
    afterPruning: Math.ceil(keptHundredths / 100),
  }));
}
