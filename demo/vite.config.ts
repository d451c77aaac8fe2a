/**
 * Builds the page into demo/dist: files with relative addresses, for any static host. With `--mode file` it becomes one file,
 * demo/dist/vdnn-demo.html, which also works when it is opened from a disk. The colors are those of the reports.
 */
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { COLORS } from "../src/report/html/style.ts";

const source = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url));
const page = (path: string): string => fileURLToPath(new URL(`./src/page/${path}`, import.meta.url));

const ALIASES = [
  { find: /^vdnn$/, replacement: source("browser.ts") },
  { find: /^vdnn\/networks$/, replacement: source("networks/index.ts") },
  { find: /^vdnn\/report$/, replacement: source("report/index.ts") },
];
const INLINE_WORKER = { find: /^\.\/make-worker\.ts$/, replacement: page("make-worker-inline.ts") };

const colors: Plugin = {
  name: "colors-of-reports",
  transformIndexHtml: () => [{ tag: "style", children: COLORS, injectTo: "head-prepend" }],
};

/** Scripts and style sheets move into the page that names them. */
const oneFile: Plugin = {
  name: "one-file",
  enforce: "post",
  generateBundle(_options, bundle) {
    const html = bundle["index.html"];
    if (html?.type !== "asset") throw new Error("there is no index.html to put everything into");
    let text = String(html.source);
    for (const [name, file] of Object.entries(bundle)) {
      if (file === html) continue;
      const content = file.type === "chunk" ? file.code : String(file.source);
      const tag = new RegExp(`<(script|link)[^>]*"\\./${name.replaceAll(".", "\\.")}"[^>]*>(</script>)?`);
      // A function, as text to be put in may hold dollar signs.
      text = text.replace(tag, () =>
        file.type === "chunk"
          ? `<script type="module">${content.replaceAll("</script", "<\\/script")}</script>`
          : `<style>${content}</style>`,
      );
      Reflect.deleteProperty(bundle, name);
    }
    html.fileName = "vdnn-demo.html";
    html.source = text;
  },
};

export default defineConfig(({ mode }) => {
  const isOneFile = mode === "file";
  return {
    root: fileURLToPath(new URL(".", import.meta.url)),
    base: "./",
    resolve: { alias: [...ALIASES, ...(isOneFile ? [INLINE_WORKER] : [])] },
    plugins: [colors, ...(isOneFile ? [oneFile] : [])],
    build: {
      target: "es2023",
      outDir: "dist",
      emptyOutDir: !isOneFile,
      assetsInlineLimit: isOneFile ? Number.POSITIVE_INFINITY : 0,
      // TensorFlow.js is beyond the size at which Vite warns, and is loaded by the worker, after the page is there.
      chunkSizeWarningLimit: Number.POSITIVE_INFINITY,
    },
    worker: isOneFile ? { format: "iife", rolldownOptions: { output: { codeSplitting: false } } } : { format: "es" },
    preview: { port: 4173 },
  };
});
