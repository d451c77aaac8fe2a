/**
 * Builds dist/vdnn.min.js, the browser's entry for pages without a bundler, and beside it what only some of them load: a backend's
 * adapter, the kernels of wasm, the spill tier, events. TensorFlow.js is the page's own.
 */
import { createRequire } from "node:module";
import * as path from "node:path";
import { defineConfig, minifySync, type Plugin } from "vite";

/** eventemitter3, which p-queue needs, as the module it ships too: its CommonJS would bring a bundler's interop along. */
const EVENT_EMITTER = path.join(
  path.dirname(createRequire(import.meta.url).resolve("eventemitter3/package.json")),
  "dist/eventemitter3.esm.js",
);

/** Rolldown minifies a chunk before it links it; with its names final there is more to find. */
const minifyAgain: Plugin = {
  name: "minify-again",
  generateBundle(_options, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type === "chunk") file.code = minifySync(file.fileName, file.code, { module: true }).code;
    }
  },
};

export default defineConfig({
  plugins: [minifyAgain],
  resolve: { alias: { eventemitter3: EVENT_EMITTER } },
  build: {
    target: "es2023",
    outDir: "dist",
    emptyOutDir: false,
    lib: { entry: "src/browser.ts", formats: ["es"], fileName: () => "vdnn.min.js" },
    // A library build leaves whitespace in.
    rolldownOptions: {
      external: /^@tensorflow\//,
      // What the parts share stays in the entry, which every page loads, instead of in a dozen small files.
      preserveEntrySignatures: "allow-extension",
      output: {
        minify: true,
        chunkFileNames: "vdnn.[name].min.js",
        // So do the errors, which all of them throw.
        codeSplitting: { groups: [{ name: "vdnn", test: /src\/(?:browser|errors)\.ts$/ }] },
      },
    },
  },
});
