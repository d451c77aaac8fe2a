/** `vdnn infer --claims`: a claim that talks make, with the arithmetic that its sources allow. */
import { jetsonClaim } from "../accelerator/claims.ts";

export function claims(json: boolean): string {
  const check = jetsonClaim();
  if (json) return `${JSON.stringify({ schema: "vdnn-infer-claims/1", ...check })}\n`;
  const [lowest, highest] = check.range.map((ratio) => ratio.toFixed(1));
  return [
    `"Up to ${check.claimed} times the efficiency of a Jetson TK1": ${check.isReached ? "reached" : "not reached"} by any source;`,
    `published figures give ${lowest} to ${highest} times.`,
    ...check.arithmetic.map((line) => `  ${line}`),
    "",
  ].join("\n");
}
