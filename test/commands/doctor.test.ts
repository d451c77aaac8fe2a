/** The report of `vdnn doctor`: its rendering from data, and one real examination of this machine. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { doctor, type DoctorReport, renderDoctor } from "../../src/commands/doctor.ts";

const report: DoctorReport = {
  schema: "vdnn-doctor/1",
  node: "v20.19.0",
  platform: "Linux 6.1 x64",
  processor: "Example CPU",
  cores: 2,
  memoryLimits: [{ source: "cgroup v2 (memory.max)", bytes: 2 ** 31 }],
  environment: { TF_CPU_BFC_MEM_LIMIT_IN_MB: "512" },
  backends: [
    {
      backend: "tensorflow",
      packageName: "@tensorflow/tfjs-node",
      works: false,
      reason: "its native addon is not built",
      remedy: "npm run native",
    },
    { backend: "wasm", packageName: "@tensorflow/tfjs-backend-wasm", works: true, device: "CPU" },
    {
      backend: "webgpu",
      packageName: "@tensorflow/tfjs-backend-webgpu",
      works: true,
      device: "CPU",
      adapter: "google swiftshader",
    },
  ],
  measured: {
    copies: { wasm: { bytes: 2 ** 26, offloadGBps: 9.5, prefetchGBps: 8.25, readGBps: 2.5, writeGBps: 7 } },
    hostCopyGBps: 10,
    spill: { error: "no space left" },
  },
};

describe("renderDoctor", () => {
  it("says what works, what would mend the rest, and which figures are measured", () => {
    const text = renderDoctor(report);
    expect(text).toContain("does not work: its native addon is not built");
    expect(text).toContain("mend: npm run native\n");
    expect(text).toContain("works on the CPU, adapter google swiftshader (a software adapter: slow)\n");
    expect(text).toMatch(/2 GiB {2}cgroup v2/);
    expect(text).toContain("TF_CPU_BFC_MEM_LIMIT_IN_MB=512");
    expect(text).toMatch(/Copies, measured .*\n {2}wasm by vdnn +9\.50 +8\.25\n/);
    expect(text).toContain("Spill: not measured, no space left");
  });
});

describe("doctor", () => {
  it("examines this machine into one JSON document and leaves the spill directory empty", async () => {
    const spill = mkdtempSync(join(tmpdir(), "vdnn-doctor-"));
    try {
      let output = "";
      expect(await doctor({ json: true, spill, write: (text) => (output += text) })).toBe(0);
      const found = JSON.parse(output) as DoctorReport;
      expect(found.schema).toBe("vdnn-doctor/1");
      expect(found.measured.hostCopyGBps).toBeGreaterThan(0);
      expect(found.measured.copies.wasm).toMatchObject({ offloadGBps: expect.any(Number) as number });
      expect(found.measured.spill).toMatchObject({ directory: spill, writeGBps: expect.any(Number) as number });
      expect(readdirSync(spill)).toEqual([]);
    } finally {
      rmSync(spill, { recursive: true });
    }
  });
});
