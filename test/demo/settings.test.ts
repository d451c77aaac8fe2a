/** What a visitor chooses: defaults, the address's hash, budgets. */
import { describe, expect, test } from "vitest";
import { NETWORKS, type NetworkName } from "../../demo/src/catalogue.ts";
import { defaultSettings, fromHash, parseBudget, type Speed, toHash, trainingKey } from "../../demo/src/settings.ts";
import { networks } from "../../src/networks/index.ts";

const SPEEDS: readonly Speed[] = ["gpu", "processor", "emulated"];

describe("the address's hash", () => {
  test("a setting comes back from it as it was", () => {
    const settings = {
      ...defaultSettings("gpu", "resnet"),
      depth: 20,
      budget: "96MiB",
      policy: "auto",
      backend: "wasm",
      fault: "device-lost",
    } as const;
    expect(fromHash(toHash(settings), "processor")).toEqual(settings);
  });

  test("without one there are the device's defaults", () => {
    for (const speed of SPEEDS) expect(fromHash("", speed)).toEqual(defaultSettings(speed));
  });

  test("what makes no sense in it is replaced by defaults, field by field", () => {
    const hash = "#network=vgg&depth=17&batch=-3&budget=50%25&policy=best&steps=1e9&width=NaN&backend=cuda";
    expect(fromHash(hash, "gpu")).toEqual({ ...defaultSettings("gpu", "vgg"), budget: "50%" });
  });
});

describe("the catalogue", () => {
  test.each(Object.keys(NETWORKS) as NetworkName[])(
    "%s is a network of the library, whose dimensions it knows",
    (name) => {
      const network = networks[name];
      expect(network).toBeDefined();
      expect(NETWORKS[name].depths.length > 0).toBe(network?.defaults.depth !== 0);
      expect(NETWORKS[name].sideLabel.startsWith("Tokens")).toBe(network?.defaults.imageSize === 0);
    },
  );

  test("every depth that is offered by default is one to choose", () => {
    for (const { depths, shapes } of Object.values(NETWORKS)) {
      for (const { depth } of Object.values(shapes)) expect([...depths, 0]).toContain(depth);
    }
  });
});

describe("budgets", () => {
  test("a share, a size, and a number of bytes", () => {
    expect(parseBudget(" 25 % ")).toEqual({ kind: "share", share: 0.25 });
    expect(parseBudget("1.5MiB")).toEqual({ kind: "bytes", bytes: 1572864 });
    expect(parseBudget("4096")).toEqual({ kind: "bytes", bytes: 4096 });
  });

  test.each(["", "much", "0%", "120%", "-3MiB"])("%j is refused with a code", (text) => {
    expect(() => parseBudget(text)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
  });
});

test("runs can be compared when they train the same, whatever their budget and policy", () => {
  const settings = defaultSettings("gpu");
  expect(trainingKey({ ...settings, budget: "1GiB", policy: "auto", steps: 3 })).toBe(trainingKey(settings));
  expect(trainingKey({ ...settings, batch: 7 })).not.toBe(trainingKey(settings));
});
