/** What `vdnn infer` says of the outputs: their values, how far they are from FP32, and what computed them. */
import { topOf } from "../accelerator/infer/agreement.ts";
import { digits } from "./infer-text.ts";
import type { InferFacts } from "./infer.ts";

const TOP = 5;

export function outputLines({ run, subject, machine, settings }: InferFacts): string[] {
  if (run === null) return ["outputs: none, nothing was computed"];
  const { mode, refusedModes, reference, agreement, outputs, outputShape, outputCount, saturated } = run;
  const { maxAbsDifference, largest, sameTop1, samples } = agreement;
  const size = outputs.length / samples;
  const top = topOf(outputs.subarray(0, size), TOP).map(({ index, value }) => `${index}: ${digits(value)}`);
  const ends = Object.entries(saturated).map(([what, values]) => `${values} ${what}`);
  const refused = refusedModes.map((each) => each.mode).join(", ");
  return [
    `outputs [${outputShape.join(", ")}]${outputCount > 1 ? `, the first of ${outputCount}` : ""}, the largest of the first sample  ${top.join("  ")}`,
    `against FP32 on the ${reference} backend: max abs difference ${maxAbsDifference.toExponential(1)} of ${digits(largest)}, ` +
      `same top-1 in ${sameTop1} of ${samples}; saturated ${ends.join(", ")}` +
      (sameTop1 < samples && settings.accumulate === "int16"
        ? "; sums in int16 are short of bits: try --accumulate int32"
        : ""),
    `computed in ${settings.precision} with gpu.js in mode ${mode}${refused === "" ? "" : ` (${refused} do not serve here)`}`,
    ...(machine.name === "eie" ? [codesLine(subject.codeBits)] : []),
  ];
}

/** EIE's weights are 4-bit codes; what computed has them only where the model was shared to as few. */
function codesLine(codeBits: Readonly<Record<string, number>>): string {
  const bits = Object.values(codeBits);
  const few = bits.filter((each) => each <= 4).length;
  if (bits.length === 0) {
    return "weights are not shared: the values are those of the backend, not of EIE's 4-bit codes (vdnn compress --share 4)";
  }
  const rest = few === bits.length ? "" : "; others were computed as they are";
  return `weights: ${few} of ${bits.length} tensors of the file have codes of at most 4 bits, as EIE needs${rest}`;
}
