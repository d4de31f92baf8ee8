/** An evaluation as people read it: a line a label, who was taken for whom, the headline numbers. */
import type { Averages, ClassMetrics, LabelMetrics, Metrics, MultiLabelMetrics, RegressionMetrics } from '../train/events.js';

type Matrix = readonly (readonly number[])[];

// A matrix with wider names does not fit a terminal; its largest mistakes are listed instead.
const widestMatrix = 100;
const mistakesListed = 10;
const longestName = 24;

/** Metrics of any kind of problem; `labels`: names in the order of the outputs. */
export function evaluationText(metrics: Metrics, labels: readonly string[], rows: number): string {
	if (metrics.r2 !== undefined) return regressionText(metrics as RegressionMetrics, rows);
	if (metrics.confusion === undefined) return multiLabelText(metrics as MultiLabelMetrics, labels, rows);
	return classText(metrics as ClassMetrics, labels, rows);
}

function classText(metrics: ClassMetrics, labels: readonly string[], rows: number): string {
	const names = labels.map(onOneLine);
	const { confusion } = metrics;
	const fits = names.reduce((width, name) => width + name.length + 2, 0) <= widestMatrix;
	const mistakes = confusion === null ? [] : fits ? matrix(confusion, names) : worst(confusion, names);
	return joined([perLabel(metrics, labels, names), mistakes, headline(metrics, rows)]);
}

function multiLabelText(metrics: MultiLabelMetrics, labels: readonly string[], rows: number): string {
	const { loss, accuracy, micro, weighted } = metrics;
	const lines = labels.map((label) => {
		const of = metrics.perLabel[label] as LabelMetrics;
		return [onOneLine(label), ...averagesOf(of), String(of.support)];
	});
	const all = { '(macro)': metrics, '(micro)': micro, '(weighted)': weighted };
	const together = Object.entries(all).map(([name, averages]) => [name, ...averagesOf(averages), '']);
	const numbers = { 'rows with exactly their labels': accuracy, 'F1 (macro)': metrics.f1, 'F1 (micro)': micro.f1, loss };
	return joined([table([['label', 'precision', 'recall', 'F1', 'rows'], ...lines, ...together]), [words(numbers), `${rows} rows`]]);
}

function regressionText({ mse, mae, r2, pearson }: RegressionMetrics, rows: number): string {
	return joined([
		[words({ R2: r2, correlation: pearson }), words({ 'mean squared error': mse, root: Math.sqrt(mse), 'mean absolute error': mae }), `${rows} rows`],
	]);
}

const joined = (parts: readonly (readonly string[])[]): string =>
	parts
		.filter((lines) => lines.length > 0)
		.map((lines) => lines.join('\n'))
		.join('\n\n');

const averagesOf = ({ precision, recall, f1 }: Averages): string[] => [precision, recall, f1].map(digits);

const words = (numbers: Readonly<Record<string, number | null>>): string =>
	Object.entries(numbers)
		.map(([name, value]) => `${name} ${digits(value)}`)
		.join(', ');

function perLabel(metrics: ClassMetrics, labels: readonly string[], names: readonly string[]): string[] {
	const { rocAuc, averagePrecision, rocAucWeighted } = metrics;
	const lines = labels.map((label, index) => {
		const of = metrics.perLabel[label];
		return of === undefined
			? []
			: [names[index] as string, ...averagesOf(of), digits(of.rocAuc ?? null), digits(of.averagePrecision ?? null), String(of.support)];
	});
	return table([
		['label', 'precision', 'recall', 'F1', 'ROC AUC', 'avg. precision', 'rows'],
		...lines,
		['(macro)', ...averagesOf(metrics), digits(rocAuc), digits(averagePrecision), ''],
		['(weighted)', ...averagesOf(metrics.weighted), digits(rocAucWeighted), '', ''],
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

function headline(metrics: ClassMetrics, rows: number): string[] {
	const { loss, accuracy, f1, mcc, kappa, rocAuc, averagePrecision, brier, ece } = metrics;
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
