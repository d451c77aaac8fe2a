/** EIE against its paper (Han et al., ISCA 2016): the nine layers of table IV, the headlines; and the Jetson claim's arithmetic. */
import { describe, expect, test } from "vitest";
import { EYERISS_ALEXNET, jetsonClaim } from "../../../src/accelerator/claims.ts";
import {
  HOSTS,
  PUBLISHED_ALEX7_FPS,
  PUBLISHED_ALEX7_FRAMES_PER_JOULE,
  PUBLISHED_ALEXNET_FPS,
  PUBLISHED_CHIP_W,
  PUBLISHED_SPEEDUPS,
  speedupOver,
  TABLE_IV,
  throughputOf,
} from "../../../src/accelerator/eie/published.ts";
import { modelTableIV } from "../../../src/accelerator/eie/table-iv.ts";

describe("table IV, on random layers of the densities of table III", () => {
  const layers = modelTableIV();
  const explained = layers.filter(({ explanation }) => explanation !== null);

  test.each(
    layers.filter(({ explanation }) => explanation === null).map((layer) => [layer.published.name, layer] as const),
  )("%s: theoretical and actual time within 10 %", (_, { theoreticalError, actualError }) => {
    expect(Math.abs(theoreticalError)).toBeLessThan(0.1);
    expect(Math.abs(actualError)).toBeLessThan(0.1);
  });

  test("Alex-8 and VGG-6 are below, by the activations of the one image that was timed", () => {
    expect(explained.map(({ published }) => published.name)).toEqual(["Alex-8", "VGG-6"]);
    for (const { theoreticalError, impliedActivationDensity, published } of explained) {
      expect(theoreticalError).toBeLessThan(-0.1);
      expect(impliedActivationDensity).toBeGreaterThan(published.activationDensity);
    }
    // The authors' own Alex-8 has 42.9 % of its activations.
    expect(explained[0]?.impliedActivationDensity).toBeCloseTo(0.44, 1);
  });

  test("VGG-6 alone has more columns than the pointer SRAM holds", () => {
    const overflowing = layers.filter(({ storage }) => !storage.fits).map(({ published }) => published.name);
    expect(overflowing).toEqual(["VGG-6"]);
  });
});

describe("headlines", () => {
  test.each(HOSTS)("dense %s over EIE, geometric mean of table IV, within 3 % of what is printed", (host) => {
    const ratio = speedupOver(host, ({ actualUs }) => actualUs) / PUBLISHED_SPEEDUPS[host];
    expect(Math.abs(ratio - 1)).toBeLessThan(0.03);
  });

  test("AlexNet's 1.88e4 frames/s within 2 %; Alex-7's 81,967 frames/s and 138,927 frames/J within 0.01 %", () => {
    const us = (prefix: string): number[] =>
      TABLE_IV.filter(({ name }) => name.startsWith(prefix)).map(({ actualUs }) => actualUs);
    const { framesPerSecond } = throughputOf(us("Alex-"), PUBLISHED_CHIP_W);
    expect(Math.abs(framesPerSecond / PUBLISHED_ALEXNET_FPS - 1)).toBeLessThan(0.02);
    const alex7 = throughputOf(us("Alex-7"), PUBLISHED_CHIP_W);
    expect(alex7.framesPerSecond / PUBLISHED_ALEX7_FPS).toBeCloseTo(1, 4);
    expect(alex7.framesPerJoule / PUBLISHED_ALEX7_FRAMES_PER_JOULE).toBeCloseTo(1, 4);
  });
});

describe("up to 25 times against a Jetson TK1", () => {
  test("follows from no stated figures: 10 to 19 times", () => {
    const claim = jetsonClaim();
    expect(claim.framesPerJoule).toBeCloseTo(124.8, 1);
    expect(claim.against.map(({ ratio }) => Number(ratio.toFixed(1)))).toEqual([18.7, 11.9]);
    expect(claim.range.map(Math.round)).toEqual([10, 19]);
    expect(claim.isReached).toBe(false);
    expect(claim.arithmetic[0]).toContain("= 124.8 frames/J ÷ (68 frames/s / 10.2 W = 6.7 frames/J) = 18.7 ×");
  });

  test("is computed for the accelerator that is given", () => {
    const twice = jetsonClaim({ ...EYERISS_ALEXNET, framesPerSecond: 2 * EYERISS_ALEXNET.framesPerSecond });
    expect(twice.range[1]).toBeCloseTo(37.4, 1);
    expect(twice.isReached).toBe(true);
  });
});
