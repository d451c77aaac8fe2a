import { expect, test } from "vitest";
import { refuseSecondEvaluation } from "../../src/platforms/evaluation.ts";

const URL = "https://site.example/worker.js";

test("a worker whose entry is evaluated twice is told how to avoid it", () => {
  const worker = { importScripts: () => undefined };
  refuseSecondEvaluation(URL, worker);
  refuseSecondEvaluation("https://site.example/other.js", worker);
  expect(() => refuseSecondEvaluation(URL, worker)).toThrow(
    expect.objectContaining({
      code: "ERR_BACKEND",
      message: expect.stringMatching(/entry twice.*import\("\.\/training/),
    }),
  );
});

test("a page may load it anew, as development servers do", () => {
  const page = {};
  refuseSecondEvaluation(URL, page);
  expect(() => refuseSecondEvaluation(URL, page)).not.toThrow();
});

test("two bundles that a classic worker loads may each have it", () => {
  const worker = { importScripts: () => undefined };
  refuseSecondEvaluation(undefined, worker);
  expect(() => refuseSecondEvaluation(undefined, worker)).not.toThrow();
});
