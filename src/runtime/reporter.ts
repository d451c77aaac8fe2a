/** What a session tells: its report, each iteration to whoever listens, and warnings. */
import { Ends } from "../report/ends.ts";
import { IterationRecorder } from "../report/iterations.ts";
import type { IterationResult, SessionReport } from "../report/result.ts";
import type { Vault } from "../memory/vault.ts";
import type { Meter } from "./meter.ts";
import type { SessionOptions } from "./options.ts";
import type { Planner } from "./planner.ts";

/** A program that changes its shapes for ever may have a plan to warn of in each step. A report has at most 100: these, and what is left out. */
const FIRST_WARNINGS = 20;
const NEWEST_WARNINGS = 78;

export interface ReporterDeps {
  readonly backend: string;
  readonly options: SessionOptions;
  readonly meter: Meter;
  readonly vault: Vault;
  readonly planner: Planner;
}

export class Reporter {
  readonly #deps: ReporterDeps;
  readonly #results = new IterationRecorder();
  readonly #warnings = new Ends<string>(FIRST_WARNINGS, NEWEST_WARNINGS);
  #warnedOfForeign = false;

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
  }

  report(): SessionReport {
    const { backend, options, meter, vault, planner } = this.#deps;
    const { deviceBytes, hostBytes, spillDirectory, policy } = options;
    const { peakHostBytes, peakSpillBytes } = vault.stats;
    return {
      schema: "vdnn-report/2",
      source: "measured",
      backend,
      policy: policy.name,
      deviceMemoryBytes: Number.isFinite(deviceBytes) ? deviceBytes : null,
      hostMemoryBytes: Number.isFinite(hostBytes) ? hostBytes : null,
      spill: spillDirectory,
      ...this.#results.facts,
      peakDeviceBytes: meter.sessionPeakBytes,
      peakHostBytes,
      peakSpillBytes,
      plans: planner.summaries,
      warnings: this.#allWarnings(),
    };
  }

  /** An iteration has ended. @param foreignKernels kernels of other code that ran in the middle of it */
  ended(result: IterationResult, foreignKernels: number): void {
    const { logger, onIteration } = this.#deps.options;
    if (foreignKernels > 0) this.#warnOfForeign(result, foreignKernels);
    const whole = foreignKernels > 0 ? { ...result, foreignKernels } : result;
    this.#results.add(whole);
    logger?.debug({ iteration: whole }, "vdnn iteration");
    onIteration?.(whole);
  }

  warn(warning: string): void {
    this.#warnings.add(warning);
    this.#deps.options.logger?.warn(warning);
  }

  #warnOfForeign({ index }: IterationResult, kernels: number): void {
    if (this.#warnedOfForeign) return;
    this.#warnedOfForeign = true;
    this.warn(
      `${kernels} kernels of other code ran while a training step waited for copies (iteration ${index}); they are outside its ` +
        "record and take device memory that its plan does not know of",
    );
  }

  #allWarnings(): string[] {
    const { items, omitted } = this.#warnings;
    const omission = omitted === 0 ? [] : [`${omitted} warnings between the first and the newest are left out`];
    return [...items, ...omission, ...(this.#deps.meter.tracer?.warnings ?? [])];
  }
}
