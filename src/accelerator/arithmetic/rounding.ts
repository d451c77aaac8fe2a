/** Rounding of real numbers to the formats that the accelerator holds, to nearest and ties to even, as IEEE 754 does it. */

/** To a whole number. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest < 0.5) return below;
  if (rest > 0.5) return below + 1;
  return below % 2 === 0 ? below : below + 1;
}

export function clamp(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x;
}

const SMALLEST_HALF_ULP = 2 ** -24;

/**
 * To half precision, 10 bits of fraction and exponents from -14 to 15, subnormal numbers included. What is beyond its range comes
 * back as 65536 or more: the caller saturates, and counts.
 */
export function roundHalf(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const exponent = exponentOf(x);
  const ulp = Math.max(2 ** (exponent - 10), SMALLEST_HALF_ULP);
  return roundHalfEven(x / ulp) * ulp;
}

const view = new DataView(new ArrayBuffer(8));

/** e with 2^e <= |x| < 2^(e+1), for normal numbers: the 11 bits after the sign. */
function exponentOf(x: number): number {
  view.setFloat64(0, x);
  return ((view.getUint16(0) >>> 4) & 0x7ff) - 1023;
}
