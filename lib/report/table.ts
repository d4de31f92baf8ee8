/** The table of a training run, as Transformers' model cards show it, with the mean loss of the epoch beside the logged one. */
import type { Evaluation } from '../train/events.js';

const HEADER = ['Training Loss', 'Epoch loss (mean)', 'Epoch', 'Step', 'Validation Loss', 'Accuracy'];

/** Markdown; one row an evaluation. "No log" where no log entry came before it. */
export function trainingTable(evaluations: readonly Evaluation[]): string {
	const rows = evaluations.map(({ loggedLoss, epochLoss, epoch, step, metrics }) => [
		loggedLoss === null ? 'No log' : loggedLoss.toFixed(4),
		epochLoss.toFixed(4),
		Number.isInteger(epoch) ? epoch.toFixed(1) : String(Number(epoch.toFixed(4))),
		String(step),
		metrics.loss.toFixed(4),
		metrics.accuracy?.toFixed(4) ?? '', // a regression has none
	]);
	const widths = HEADER.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
	const line = (cells: readonly string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
	return [line(HEADER), `|${widths.map((width) => `:${'-'.repeat(width)}:`).join('|')}|`, ...rows.map(line)].join('\n');
}
