/** Conformance on the reference backend: the tiny cases. */
import { loadTensorFlow } from "../../src/backends/load.ts";
import { conformanceSuite } from "./suite.ts";

conformanceSuite({ backend: "cpu", costs: ["tiny"], load: async () => (await loadTensorFlow("cpu")).tf });
