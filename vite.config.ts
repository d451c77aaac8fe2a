/**
 * Builds dist/vdnn.min.js, the browser's entry for pages without a bundler, and beside it what only some of them load: a backend's
 * adapter, the kernels of wasm, the spill tier. TensorFlow.js is the page's own.
 */
import { defineConfig } from "vite";

export default defineConfig({
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
      output: { minify: true, chunkFileNames: "vdnn.[name].min.js" },
    },
  },
});
