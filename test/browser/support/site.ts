/**
 * The site under test: test/browser/page, bundled by Vite as a user's page would be, and served from localhost, which browsers
 * count as a secure context (WebGPU and the origin's private file system need one).
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

const PAGE = fileURLToPath(new URL("../page", import.meta.url));
/** Where the page finds the WebAssembly modules of TensorFlow.js. */
const WASM_PREFIX = "/wasm/";
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
};

/** Answers a request itself, or returns false. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => boolean;

/** @param handle is asked before the site's files are */
export async function openSite(handle: Handler = () => false): Promise<Site> {
  const folder = await mkdtemp(path.join(tmpdir(), "vdnn-site-"));
  await build({
    root: PAGE,
    configFile: false,
    logLevel: "error",
    // TensorFlow.js is far beyond the size at which Vite warns.
    build: { outDir: folder, emptyOutDir: true, target: "esnext", minify: false, chunkSizeWarningLimit: Infinity },
    worker: { format: "es" },
  });
  const served = await serveFolder(folder, handle);
  return {
    url: served.url,
    close: async () => {
      await served.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Serves a folder's files from localhost, and nothing else: what any static host does. */
export async function serveFolder(folder: string, handle: Handler = () => false): Promise<Site> {
  const server = createServer((request, response) => {
    if (handle(request, response)) return;
    void serve(folder, new URL(request.url ?? "/", "http://localhost").pathname).then(
      ({ type, body }) => response.writeHead(200, { "content-type": type }).end(body),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(folder: string, pathname: string): Promise<{ readonly type: string; readonly body: Buffer }> {
  // The browser asks on its own.
  if (pathname === "/favicon.ico") return { type: "image/x-icon", body: Buffer.alloc(0) };
  const file = pathname.startsWith(WASM_PREFIX)
    ? path.join(wasmFolder(), path.basename(pathname))
    : path.join(folder, pathname === "/" ? "index.html" : path.normalize(pathname));
  return { type: TYPES[path.extname(file)] ?? "application/octet-stream", body: await readFile(file) };
}

function wasmFolder(): string {
  const require = createRequire(import.meta.url);
  return path.join(path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json")), "dist");
}
