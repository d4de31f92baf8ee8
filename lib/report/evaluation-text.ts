/** An evaluation as people read it: a line a label, who was taken for whom, the headline numbers. */
import type { Averages, Metrics } from '../train/events.js';

type Matrix = readonly (readonly number[])[];

// A matrix with wider names does not fit a terminal; its largest mistakes are listed instead.
const widestMatrix = 100;
const mistakesListed = 10;
const longestName = 24;

/** `labels`: names in the order of `metrics.confusion`. */
export function evaluationText(metrics: Metrics, labels: readonly string[], rows: number): string {
	const names = labels.map(onOneLine);
	const { confusion } = metrics;
	const fits = names.reduce((width, name) => width + name.length + 2, 0) <= widestMatrix;
	const mistakes = confusion === null ? [] : fits ? matrix(confusion, names) : worst(confusion, names);
	const parts = [perLabel(metrics, labels, names), mistakes, headline(metrics, rows)];
	return parts
		.filter((lines) => lines.length > 0)
		.map((lines) => lines.join('\n'))
		.join('\n\n');
}

function perLabel(metrics: Metrics, labels: readonly string[], names: readonly string[]): string[] {
	const averages = ({ precision, recall, f1 }: Averages) => [precision, recall, f1].map(digits);
	const { rocAuc, averagePrecision, rocAucWeighted } = metrics;
	const lines = labels.map((label, index) => {
		const of = metrics.perLabel[label];
		return of === undefined ? [] : [names[index] as string, ...averages(of), digits(of.rocAuc), digits(of.averagePrecision), String(of.support)];
	});
	return table([
		['label', 'precision', 'recall', 'F1', 'ROC AUC', 'avg. precision', 'rows'],
		...lines,
		['(macro)', ...averages(metrics), digits(rocAuc), digits(averagePrecision), ''],
		['(weighted)', ...averages(metrics.weighted), digits(rocAucWeighted), '', ''],
	]);
}

function matrix(confusion: Matrix, names: readonly string[]): string[] {
	return table([['taken for', ...names], ...confusion.map((counts, label) => [names[label] as string, ...counts.map(String)])]);
}

function worst(confusion: Matrix, names: readonly string[]): string[] {
	const mistakes = confusion
		.flatMap((counts, is) => counts.map((count, taken) => ({ count, is, taken })))
		.filter(({ is, taken, count }) => is !== taken && count > 0)
		.sort((a, b) => b.count - a.count)
		.slice(0, mistakesListed)
		.map(({ count, is, taken }) => [names[is] as string, names[taken] as string, String(count)]);
	return mistakes.length === 0 ? [] : table([['label', 'taken for', 'rows'], ...mistakes]);
}

function headline(metrics: Metrics, rows: number): string[] {
	const { loss, accuracy, f1, mcc, kappa, rocAuc, averagePrecision, brier, ece } = metrics;
	const words = (numbers: Readonly<Record<string, number | null>>) =>
		Object.entries(numbers)
			.map(([name, value]) => `${name} ${digits(value)}`)
			.join(', ');
	return [
		words({ accuracy, 'F1 (macro)': f1, MCC: mcc, kappa }),
		words({ 'ROC AUC': rocAuc, 'average precision': averagePrecision }),
		words({ loss, Brier: brier, 'calibration error': ece }),
		`${rows} rows`,
	];
}

/** The first column to the left, the others to the right. */
function table(lines: readonly (readonly string[])[]): string[] {
	const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
	const padded = (cell: string, column: number) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0));
	return lines.map((line) => line.map(padded).join('  ').trimEnd());
}

const digits = (value: number | null): string => (value === null || Number.isNaN(value) ? '-' : value.toFixed(4));

/** A label without what would move the cursor, and cut where it is long. */
function onOneLine(label: string): string {
	const plain = label.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');
	return plain.length <= longestName ? plain : `${plain.slice(0, longestName - 1)}…`;
}
