/** Which kernels of a record may run again. */
import { describe, expect, it } from "vitest";
import type { Entry } from "../../src/runtime/block.ts";
import { CONSTANT, Op, OpLog } from "../../src/runtime/oplog.ts";

function op(name: string, ...bytes: number[]): Op {
  const reads = bytes.map((size) => ({ block: { bytes: size } }) as Entry);
  return new Op(name, {}, undefined, reads, [], 0, 0);
}

describe("OpLog.isRepeatable", () => {
  const log = new OpLog(4000);

  it("is false for kernels that draw random numbers", () => {
    expect(log.isRepeatable(op("RandomUniform"))).toBe(false);
  });

  it("is false where the processor may have computed: on small inputs alone", () => {
    expect(log.isRepeatable(op("Exp", 3996))).toBe(false);
    expect(log.isRepeatable(op("Multiply", 4, 3996))).toBe(false);
    expect(log.isRepeatable(op("Multiply", 4, 4000))).toBe(true);
    expect(log.isRepeatable(op("Fill"))).toBe(true);
    expect(log.isRepeatable(op(CONSTANT))).toBe(true);
  });

  it("does not ask for sizes on backends where the processor computes nothing, or everything", () => {
    expect(new OpLog(0).isRepeatable(op("Exp", 4))).toBe(true);
  });
});
