/**
 * The style sheet of a report: two sets of colours, which the reader's system chooses, and one column that becomes narrow on a
 * phone. No font, image or script from anywhere. Text has at least 4.5 : 1 on its ground, lines and bars 3 : 1.
 */

/** The eight colours of policies keep the order of svg.ts's palette. */
const LIGHT = `
  --page: #f4f5f7; --card: #ffffff; --line: #d9dde3; --text: #1b2027; --ink: #57606a; --accent: #0a5ea8;
  --band: #5b6b7d14; --limit: #b3261e;
  --c0: #1d5fae; --c1: #d97200; --c2: #00806f; --c3: #d1246a; --c4: #0e9bbd; --c5: #a3160f; --c6: #7d6300; --c7: #6b48b5;
  --device: #0071b2; --host: #c4570f; --spill: #6b48b5;
  --forward: #3f7fbf; --backward: #27507e; --update: #7d8fa3; --again: #a67c00;
  --offload: #c4570f; --prefetch: #00806f; --spill-write: #6b48b5; --spill-read: #a24bb5; --stall: #c62828;`;
const DARK = `
  --page: #0d1117; --card: #161b22; --line: #30363d; --text: #e6edf3; --ink: #9aa4b0; --accent: #6cb6ff;
  --band: #b6c6d814; --limit: #ff8a80;
  --c0: #4ea8e6; --c1: #f0883e; --c2: #2fbfa6; --c3: #f778ba; --c4: #79d3f2; --c5: #ff7b5c; --c6: #d4b13f; --c7: #b39ddb;
  --device: #4ea8e6; --host: #f0883e; --spill: #b39ddb;
  --forward: #6fb1ef; --backward: #3f78b8; --update: #8494a7; --again: #d4b13f;
  --offload: #f0883e; --prefetch: #2fbfa6; --spill-write: #b39ddb; --spill-read: #d291e4; --stall: #ff6b6b;`;

/** Both sets as CSS variables; the demo page has them too. */
export const COLORS: string = `
:root { color-scheme: light dark;${LIGHT}
}
@media (prefers-color-scheme: dark) { :root {${DARK}
} }`;

export const STYLE: string = `${COLORS}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; }
main, header, footer { max-width: 1040px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 36px; }
.eyebrow { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin: 0; color: var(--ink); font-size: 14px; }
.source { border: 1.5px solid currentColor; border-radius: 999px; padding: 1px 11px; font-weight: 600; color: var(--accent); }
h1 { margin: 10px 0 4px; font-size: clamp(24px, 5vw, 34px); line-height: 1.2; letter-spacing: -0.015em; overflow-wrap: anywhere; }
.lead { margin: 0; color: var(--ink); overflow-wrap: anywhere; }
h2 { margin: 0 0 4px; font-size: 19px; line-height: 1.3; letter-spacing: -0.01em; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px 22px; margin: 20px 0; }
section > p { margin: 0 0 10px; color: var(--ink); font-size: 14px; max-width: 96ch; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin: 24px 0 0; }
.figures.of-3 { grid-template-columns: repeat(3, 1fr); } .figures.of-5 { grid-template-columns: repeat(5, 1fr); }
.figures > div { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 13px 16px 14px; }
dt { color: var(--ink); font-size: 13px; }
dd { margin: 0; }
.value { font-size: 23px; font-weight: 650; line-height: 1.3; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.note { color: var(--ink); font-size: 13px; line-height: 1.4; }
figure { margin: 14px 0 0; }
figure svg { display: block; width: 100%; height: auto; font-family: inherit; }
.narrow { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 6px 0 0; padding: 0; list-style: none; font-size: 13px; color: var(--ink); }
.legend li { display: flex; align-items: center; gap: 6px; }
.legend svg { width: 30px; height: 14px; flex: none; }
.table { overflow-x: auto; margin: 12px -22px 0; padding: 0 22px 4px; }
.table:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--ink); padding: 6px 0; font-size: 14px; }
th, td { padding: 6px 8px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
td.long { white-space: normal; min-width: 24ch; }
thead th { white-space: normal; color: var(--ink); font-weight: 600; font-size: 13px; vertical-align: bottom; }
.left { text-align: left; }
th:first-child, td:first-child { padding-left: 0; position: sticky; left: -22px; background: var(--card); }
tbody th { font-weight: 600; }
tbody tr:last-child > * { border-bottom: 0; }
pre { margin: 12px 0 0; overflow-x: auto; white-space: pre-wrap; font: 13px/1.5 ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; color: var(--text); }
ul.notes { margin: 8px 0 0; padding-left: 20px; font-size: 14px; color: var(--ink); max-width: 84ch; overflow-wrap: anywhere; }
ul.notes li { margin: 3px 0; }
ul.notes li.warning { color: var(--limit); }
footer { color: var(--ink); font-size: 13px; padding-bottom: 40px; }
@media (max-width: 640px) {
  main, header, footer { padding-left: 12px; padding-right: 12px; }
  header { padding-top: 22px; }
  section { padding: 16px 14px; margin: 14px 0; border-radius: 10px; }
  .figures, .figures.of-3, .figures.of-5 { grid-template-columns: 1fr 1fr; gap: 8px; }
  .figures > div:last-child:nth-child(odd) { grid-column: span 2; }
  pre { white-space: pre; }
  td.long { white-space: nowrap; }
  .figures > div { padding: 10px 12px; }
  .value { font-size: 19px; }
  .wide { display: none; } .narrow { display: block; }
  .table { margin-left: -14px; margin-right: -14px; padding: 0 14px 4px; }
  th:first-child, td:first-child { left: -14px; padding-left: 14px; }
}
@media print {
  body { background: none; } section, .figures > div { break-inside: avoid; }
  .table { overflow: visible; }
}
`;
