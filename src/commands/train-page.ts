/** The page that `vdnn train --report out.html` writes: a session's, with stock beside it where it was asked for. */
import { type Section, tableBlock, type Page } from "../report/html/page.ts";
import { timeChartBlock } from "../report/html/charts.ts";
import { sessionPage } from "../report/html/session-page.ts";
import { machineText } from "../report/machine.ts";
import { outlineChart, type StepOutline } from "../report/step-view.ts";
import { measureColumns, MEASURES } from "./train-measures.ts";
import { isIdentical, type Training, type TrainingResult } from "./training.ts";

export function trainPage(
  training: Training,
  backend: string,
  result: TrainingResult,
  stock: TrainingResult | undefined,
): Page {
  const { network, batchSize, steps, optimizer } = training;
  const { report, history, layers, parameters } = result;
  return sessionPage({
    title: `${network.name}, batch ${batchSize}, under ${result.policy}`,
    lead: [
      `${layers} layers, ${parameters} weights, ${steps} steps of ${optimizer}; generated data`,
      `backend ${backend}, Node.js ${process.version}, ${machineText()}`,
    ],
    command: "train",
    report,
    history,
    sections: [...(stock === undefined ? [] : [comparedSection(result, stock)]), measuresSection(result, stock)],
  });
}

function measuresSection(result: TrainingResult, stock: TrainingResult | undefined): Section {
  const bits =
    stock === undefined ? "" : ` Losses and weights ${isIdentical(stock, result) ? "are bit-identical" : "DIFFER"}.`;
  const caption = `Medians and peaks of all steps but the first, where not said otherwise.${bits}`;
  return {
    title: stock === undefined ? "What was measured" : "Against stock TensorFlow.js",
    blocks: [tableBlock(caption, measureColumns(result, stock), MEASURES)],
  };
}

/** The last step of each, in one picture. */
function comparedSection(result: TrainingResult, stock: TrainingResult): Section {
  const outline = (name: string, look: number, { history }: TrainingResult): StepOutline => ({
    name,
    look,
    events: history?.steps.at(-1)?.events ?? [],
  });
  const title = "Device memory of one step, against stock";
  return {
    title,
    blocks: [
      timeChartBlock(
        "compared",
        outlineChart(title, [outline("stock", 1, stock), outline(result.policy, 0, result)], {
          deviceBytes: result.report.deviceMemoryBytes,
        }),
      ),
    ],
  };
}
