/** The spill file of a browser, on a file system of this file that refuses to open what it has made. */
import { afterEach, expect, test, vi } from "vitest";
import { openOriginFile } from "../../src/memory/origin-file.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

test("a file that cannot be opened is gone, and so is the lock of its name", async () => {
  const names = new Set<string>();
  const held = new Set<string>();
  const createSyncAccessHandle = () =>
    Promise.reject(Object.assign(new Error("there is one"), { name: "NoModificationAllowedError" }));
  const directory = {
    getDirectoryHandle: () => Promise.resolve(directory),
    getFileHandle: (name: string) => Promise.resolve(names.add(name)).then(() => ({ createSyncAccessHandle })),
    removeEntry: (name: string) => Promise.resolve(void names.delete(name)),
    keys: () => [],
  };
  const request = async (name: string, _options: object, hold: (lock: object) => Promise<void>) => {
    held.add(name);
    await hold({});
    held.delete(name);
  };
  vi.stubGlobal("navigator", { storage: { getDirectory: () => Promise.resolve(directory) }, locks: { request } });
  const options = { directory: "vdnn", maxBytes: 1, onSpan: () => undefined, now: () => 0 };
  await expect(openOriginFile(options)).rejects.toMatchObject({
    code: "ERR_SPILL",
    details: { reason: "NoModificationAllowedError" },
  });
  expect([...names, ...held]).toEqual([]);
});
