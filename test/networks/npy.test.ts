/** NumPy arrays: what numpy.save writes is read back, what is damaged says so. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseNpy } from "../../src/networks/npy.ts";

/** As numpy.save lays it out: the header is filled up to a multiple of 64 bytes. */
function npy(type: string, shape: readonly number[], data: Uint8Array, order = "False"): Buffer {
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${type}', 'fortran_order': ${order}, 'shape': (${sides}), }`;
  const header = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  return Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from("NUMPY"),
    Buffer.from([1, 0]),
    length,
    Buffer.from(header),
    data,
  ]);
}

describe("parseNpy", () => {
  it("reads float32, float64, int32 and bytes of any shape", () => {
    const whole = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(whole, (values) => {
        for (const [type, data] of [
          ["<f4", Float32Array.from(values)],
          ["<f8", Float64Array.from(values)],
          ["<i4", Int32Array.from(values)],
          ["|u1", Uint8Array.from(values)],
        ] as const) {
          const read = parseNpy(npy(type, [2, 3], new Uint8Array(data.buffer)), "x.npy");
          expect(read.shape).toEqual([2, 3]);
          expect(Array.from(read.values)).toEqual(values);
        }
      }),
    );
    expect(parseNpy(npy("|u1", [3], Uint8Array.of(1, 2, 3)), "x.npy").shape).toEqual([3]);
  });

  it.each([
    ["another format", Buffer.from("GIF89a, and more bytes than a header has"), "expected a .npy file"],
    ["numbers of another type", npy(">f4", [1], Buffer.alloc(4)), "expected an array of <f4"],
    ["columns first", npy("<f4", [1], Buffer.alloc(4), "True"), "in C order"],
    ["a truncated file", npy("<f4", [4], Buffer.alloc(12)), "bytes, got"],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => parseNpy(bytes, "x.npy")).toThrow(message);
  });
});
