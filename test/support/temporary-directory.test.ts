import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import setup from "./temporary-directory.ts";

const { TMPDIR: inherited } = process.env;
const system = mkdtempSync(join(tmpdir(), "vdnn-temporary-"));
afterEach(() => {
  process.env["TMPDIR"] = inherited;
  rmSync(system, { recursive: true });
});

test("a run begins with an empty directory, also where one that was killed had its number", () => {
  process.env["TMPDIR"] = system;
  const [own, dead] = [`vdnn-test-${process.pid}`, "vdnn-test-999999999"].map((name) => join(system, name));
  for (const directory of [own, dead]) mkdirSync(directory as string);
  writeFileSync(join(own as string, "vdnn-left"), "");
  const end = setup();
  expect(existsSync(dead as string)).toBe(false);
  expect(tmpdir()).toBe(own);
  end();
  expect(existsSync(own as string)).toBe(false);
  expect(process.exitCode).toBeUndefined();
});
