/** A mixed-integer linear program under construction, and HiGHS (WebAssembly), which is loaded when the first one is solved. */
import type { Highs, InitOptions } from "highs";

/** The package's types are those of CommonJS, its module is not: the default export is the loader itself. */
type Load = (options?: InitOptions) => Promise<Highs>;

/** Coefficient and variable. */
export type Term = readonly [number, string];

export interface Program {
  /** Sum of the terms is at least the number. */
  readonly atLeast: (terms: readonly Term[], bound: number) => void;
  /** Declares a variable of 0 or 1 and returns its name. */
  readonly binary: (name: string) => string;
  /** Declares a variable from 0 to `most` and returns its name. */
  readonly range: (name: string, most: number) => string;
  /** In CPLEX LP format. */
  readonly text: (objective: string) => string;
}

export function program(): Program {
  const rows: string[] = [];
  const binaries = new Set<string>();
  const ranges = new Map<string, number>();
  return {
    atLeast(terms, bound) {
      const sums = new Map<string, number>();
      for (const [factor, name] of terms) sums.set(name, (sums.get(name) ?? 0) + factor);
      const text = [...sums].filter(([, factor]) => factor !== 0).map(([name, factor]) => `${sign(factor)} ${name}`);
      if (text.length > 0) rows.push(` r${rows.length}: ${text.join(" ")} >= ${bound}`);
      else if (bound > 1e-9) rows.push(` r${rows.length}: 0 never >= 1`);
    },
    binary(name) {
      binaries.add(name);
      return name;
    },
    range(name, most) {
      ranges.set(name, most);
      return name;
    },
    text(objective) {
      const bounds = [...ranges].map(([name, most]) => ` 0 <= ${name} <= ${most}`);
      return [
        "Minimize",
        ` obj: ${objective}`,
        "Subject To",
        ...rows,
        "Bounds",
        " 0 <= never <= 0",
        ...bounds,
        "Binaries",
        ` ${[...binaries].join("\n ")}`,
        "End",
      ].join("\n");
    },
  };
}

function sign(factor: number): string {
  return factor < 0 ? `- ${-factor}` : `+ ${factor}`;
}

export interface Solved {
  readonly status: "optimal" | "infeasible" | "limit";
  /** Where a solution was found. */
  readonly values: ReadonlyMap<string, number> | undefined;
  readonly objective: number;
  /** No solution is better. */
  readonly bound: number;
}

let highs: Promise<Highs> | undefined;

/** @param maxNodes of branch and bound: effort without a clock */
export async function solve(text: string, maxNodes: number): Promise<Solved> {
  highs ??= import("highs").then(({ default: load }) => (load as unknown as Load)());
  const solver = await highs;
  return solver.withModel({ format: "lp", data: text }, (model): Solved => {
    model.options.set({
      output_flag: false,
      mip_max_nodes: maxNodes,
      mip_rel_gap: 1e-7,
      mip_feasibility_tolerance: 1e-7,
    });
    model.run();
    const status = model.getModelStatus();
    const { optimal, infeasible, unboundedOrInfeasible } = solver.constants.modelStatus;
    const isInfeasible = status === infeasible || status === unboundedOrInfeasible;
    const objective = isInfeasible ? Number.POSITIVE_INFINITY : model.getObjectiveValue();
    const isFound =
      !isInfeasible && Number.isFinite(objective) && Number(model.info.get("primal_solution_status")) === 2;
    const { colValue } = model.getSolution();
    const names = new Set(text.slice(text.indexOf("Bounds")).match(/[A-Za-z]\w*_\w+/g));
    return {
      status: status === optimal ? "optimal" : isInfeasible ? "infeasible" : "limit",
      values: isFound ? new Map([...names].map((name) => [name, colValue[model.getColByName(name)] ?? 0])) : undefined,
      objective,
      bound: isInfeasible ? Number.POSITIVE_INFINITY : Number(model.info.get("mip_dual_bound")),
    };
  });
}
