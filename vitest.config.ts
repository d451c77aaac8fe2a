/**
 * TensorFlow.js keeps process-global state, so every test file runs in a process of its own. `test/native` needs the native
 * addon and runs only with VDNN_TEST_BACKEND=tensorflow; VDNN_TEST_JSON names a file for a second, machine-readable report.
 */
import { configDefaults, defineConfig } from "vitest/config";

const native = process.env.VDNN_TEST_BACKEND === "tensorflow";
const json = process.env.VDNN_TEST_JSON;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(native ? [] : ["test/native/**"])],
    globalSetup: "test/support/temporary-directory.ts",
    pool: "forks",
    isolate: true,
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: json === undefined ? ["default"] : ["default", "json"],
    ...(json === undefined ? {} : { outputFile: { json } }),
  },
});
