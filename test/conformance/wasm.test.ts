/** Conformance on the backend that every machine has: tiny and small cases. */
import { loadTensorFlow } from "../../src/backends/load.ts";
import { conformanceSuite } from "./suite.ts";

conformanceSuite({
  backend: "wasm",
  costs: ["tiny", "small"],
  load: async () => (await loadTensorFlow("wasm")).tf,
});
