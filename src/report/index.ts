/** `vdnn/report`: what a session measured, as a page, as text or as a trace; no file system, so a browser can load it. */
export { type Page, renderPage } from "./html/page.ts";
export { type SessionFacts, sessionPage } from "./html/session-page.ts";
export { type ChromeEvent, type ChromeTrace, toChromeTrace } from "./trace-events.ts";
export { renderSummary } from "./summary.ts";
