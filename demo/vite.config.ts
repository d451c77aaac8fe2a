/**
 * Builds the page into demo/dist: files with relative addresses, for any static host. The colours are those of the reports.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { COLORS } from "../src/report/html/style.ts";

const source = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url));

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  resolve: {
    alias: [
      { find: /^vdnn$/, replacement: source("browser.ts") },
      { find: /^vdnn\/networks$/, replacement: source("networks/index.ts") },
      { find: /^vdnn\/report$/, replacement: source("report/index.ts") },
    ],
  },
  plugins: [
    {
      name: "colors-of-reports",
      transformIndexHtml: () => [{ tag: "style", children: COLORS, injectTo: "head-prepend" }],
    },
  ],
  // TensorFlow.js is beyond the size at which Vite warns, and is loaded by the worker, after the page is there.
  build: { target: "es2023", outDir: "dist", emptyOutDir: true, chunkSizeWarningLimit: 4096 },
  worker: { format: "es" },
  preview: { port: 4173 },
});
