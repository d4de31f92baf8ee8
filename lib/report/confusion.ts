/** What follows from how often each label was taken for each other one. */
import { classOf, type Decision } from '../model/decision.js';
import type { Averages, ClassMetrics } from '../train/events.js';
import type { Probabilities } from './scored-rows.js';

/** Rows counted by what they are and what they were taken for. */
export interface Counts {
	readonly rows: number;
	/** Rows of each label. */
	readonly actual: Float64Array;
	/** Rows taken for each label. */
	readonly predicted: Float64Array;
	/** Rows of each label that were taken for it. */
	readonly right: Float64Array;
	/** Rows by what they are, then by what they were taken for; null of very many labels. */
	readonly confusion: readonly (readonly number[])[] | null;
}

// A matrix of a million numbers still fits into an event; nothing else here needs it.
const mostLabels = 1000;

export function countRows(probabilities: Probabilities, decision: Decision): Counts {
	const { rows, largest } = probabilities;
	const labels = rows.width;
	const actual = new Float64Array(labels);
	const predicted = new Float64Array(labels);
	const right = new Float64Array(labels);
	const confusion = labels > mostLabels ? null : Array.from({ length: labels }, () => new Array<number>(labels).fill(0));
	const increment = (counts: Float64Array | number[] | undefined, label: number) => {
		if (counts !== undefined) counts[label] = (counts[label] as number) + 1;
	};
	for (let row = 0; row < rows.length; row++) {
		const is = rows.classOf(row);
		const taken = classOf(largest[row] as number, probabilities.of(row, 1), decision);
		increment(actual, is);
		increment(predicted, taken);
		increment(confusion?.[is], taken);
		if (is === taken) increment(right, is);
	}
	return { rows: rows.length, actual, predicted, right, confusion };
}

type CountMetrics = Averages & Pick<ClassMetrics, 'accuracy' | 'micro' | 'weighted' | 'macroPresent' | 'mcc' | 'kappa' | 'confusion'>;

export function countMetrics(counts: Counts): CountMetrics {
	const { rows, actual, predicted, right, confusion } = counts;
	const labels = [...actual.keys()];
	const each = labels.map((label) => labelAverages(counts, label));
	const correct = sum(right);
	const support = Array.from(actual);
	const accuracy = correct / rows;
	const micro = ratio(correct, rows);
	// Matthews correlation of more than two labels: Gorodkin 2004; both from the margins of the matrix alone.
	const byChance = sum(labels.map((label) => (actual[label] as number) * (predicted[label] as number)));
	const squares = (margin: Float64Array) => rows * rows - sum(margin.map((count) => count * count));
	return {
		...meanAverages(each, new Array<number>(labels.length).fill(1)),
		accuracy,
		micro: { precision: micro, recall: micro, f1: micro },
		weighted: meanAverages(each, support),
		macroPresent: meanAverages(
			each,
			labels.map((label) => Number(actual[label] !== 0 || predicted[label] !== 0)),
		),
		mcc: ratio(correct * rows - byChance, Math.sqrt(squares(predicted) * squares(actual))),
		kappa: rows * rows === byChance ? null : 1 - ((rows - correct) * rows) / (rows * rows - byChance),
		confusion,
	};
}

/** Of one label against all others. */
export function labelAverages({ actual, predicted, right }: Counts, label: number): Averages {
	const [found, taken, support] = [right[label] as number, predicted[label] as number, actual[label] as number];
	return averagesOf(found, taken, support);
}

/** Of a label: rows that have it and were given it, that were given it, and that have it. */
export function averagesOf(right: number, given: number, support: number): Averages {
	return { precision: ratio(right, given), recall: ratio(right, support), f1: ratio(2 * right, given + support) };
}

/** 0 where all weights are 0. */
export function meanAverages(each: readonly Averages[], weights: readonly number[]): Averages {
	const whole = sum(weights);
	const of = (name: keyof Averages) =>
		ratio(
			each.reduce((total, averages, label) => total + averages[name] * (weights[label] as number), 0),
			whole,
		);
	return { precision: of('precision'), recall: of('recall'), f1: of('f1') };
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

const sum = (values: ArrayLike<number>): number => {
	let total = 0;
	for (let index = 0; index < values.length; index++) total += values[index] as number;
	return total;
};
