/** Conformance on the native backend: all cases. */
import { loadTensorFlow } from "../../src/backends/load.ts";
import { conformanceSuite } from "../conformance/suite.ts";

conformanceSuite({
  backend: "tensorflow",
  costs: ["tiny", "small", "large"],
  load: async () => (await loadTensorFlow("tensorflow")).tf,
});
