/** Conformance on the backend that every machine has: tiny and small cases. */
import { loadTensorFlow } from "../../src/backends/load.ts";
import { registerWasmTrainingKernels } from "../../src/backends/wasm-kernels.ts";
import { conformanceSuite } from "./suite.ts";

conformanceSuite({
  backend: "wasm",
  costs: ["tiny", "small"],
  load: async () => {
    const { tf } = await loadTensorFlow("wasm");
    registerWasmTrainingKernels(tf);
    return tf;
  },
});
