/**
 * Builds dist/vdnn.min.js, the browser's entry as one file for pages without a bundler. TensorFlow.js is the page's own.
 */
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2023",
    outDir: "dist",
    emptyOutDir: false,
    lib: { entry: "src/browser.ts", formats: ["es"], fileName: () => "vdnn.min.js" },
    // A library build leaves whitespace in.
    rolldownOptions: { external: /^@tensorflow\//, output: { minify: true } },
  },
});
