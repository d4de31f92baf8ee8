/** Settings of a trained classifier that rows with labels can tell: the temperature, and the threshold of the second of two labels. */
import { type Decision, temperatureRange } from '../model/decision.js';
import { countRows } from './confusion.js';
import type { Probabilities, ScoredRows } from './scored-rows.js';

export interface Temperature {
	/** null where every row's logits are equal, so that no temperature changes anything. */
	readonly value: number | null;
	/** Whether the loss is least between the bounds 0.01 and 100, or still falls there. */
	readonly where: 'interior' | 'lower bound' | 'upper bound' | 'flat';
}

// A few roundings of a double, relative: derivatives say no more.
const precision = 1e-14;

/** The temperature with the least mean loss: Guo et al. 2017. All logits must be finite. */
export function fitTemperature(rows: ScoredRows): Temperature {
	if (isFlat(rows)) return { value: null, where: 'flat' };
	// The loss is convex in 1 / temperature, so its derivative rises and has at most one root.
	let [low, high] = [1 / temperatureRange.high, 1 / temperatureRange.low];
	if (derivatives(rows, low).first >= 0) return { value: temperatureRange.high, where: 'upper bound' };
	if (derivatives(rows, high).first <= 0) return { value: temperatureRange.low, where: 'lower bound' };
	let inverse = 1;
	let moved = high - low;
	while (moved > precision * inverse) {
		const { first, second } = derivatives(rows, inverse);
		if (first < 0) low = inverse;
		else high = inverse;
		const newton = inverse - first / second;
		// Where Newton leaves the bracket, or crawls along a tail of the exponentials, halving is faster.
		const useful = newton >= low && newton <= high && Math.abs(newton - inverse) <= moved / 2;
		const next = useful ? newton : Math.sqrt(low * high);
		moved = Math.abs(next - inverse);
		inverse = next;
	}
	return { value: 1 / inverse, where: 'interior' };
}

const isFlat = (rows: ScoredRows): boolean => {
	for (let row = 0; row < rows.length; row++) {
		const logits = rows.logits(row);
		if (logits.some((logit) => logit !== logits[0])) return false;
	}
	return true;
};

/** Of the summed loss by the inverse temperature: sums of (mean logit - actual logit), and of the variance of the logits. */
function derivatives(rows: ScoredRows, inverse: number): { first: number; second: number } {
	let [first, second] = [0, 0];
	for (let row = 0; row < rows.length; row++) {
		const logits = rows.logits(row);
		const actual = logits[rows.classOf(row)] as number;
		const largest = logits.reduce((a, b) => Math.max(a, b));
		let [weights, mean, square] = [0, 0, 0];
		for (const logit of logits) {
			const weight = Math.exp((logit - largest) * inverse);
			const distance = logit - actual;
			weights += weight;
			mean += weight * distance;
			square += weight * distance * distance;
		}
		mean /= weights;
		first += mean;
		second += square / weights - mean * mean;
	}
	return { first, second };
}

/** What a threshold can be the best for; of the second label, or of both together. */
export type ThresholdMetric = 'f1' | 'accuracy' | 'mcc' | 'youden';

export interface Threshold {
	/** The second label is given where its probability is at least this: a probability that a row has. */
	readonly threshold: number;
	/** The metric there. */
	readonly value: number;
	/** Rows that are given the second label. */
	readonly predictedPositive: number;
	/** Every threshold above this and up to `threshold` gives the same labels: the next lower probability, or 0. */
	readonly sameResultAbove: number;
}

interface Cells {
	readonly truePositive: number;
	readonly falsePositive: number;
	readonly falseNegative: number;
	readonly trueNegative: number;
}

// Where two thresholds are as good, doubles must say so: each is one division of whole numbers, exact but for that.
const thresholdMetrics: Readonly<Record<ThresholdMetric, (cells: Cells) => number>> = {
	f1: ({ truePositive, falsePositive, falseNegative }) => (2 * truePositive) / (2 * truePositive + falsePositive + falseNegative),
	accuracy: ({ truePositive, falsePositive, falseNegative, trueNegative }) =>
		(truePositive + trueNegative) / (truePositive + falsePositive + falseNegative + trueNegative),
	mcc: ({ truePositive: a, falsePositive: b, falseNegative: c, trueNegative: d }) => {
		const square = (a + b) * (a + c) * (d + b) * (d + c);
		return square === 0 ? 0 : (a * d - b * c) / Math.sqrt(square);
	},
	youden: ({ truePositive: a, falsePositive: b, falseNegative: c, trueNegative: d }) => ((a + c) * -b + a * (b + d)) / ((a + c) * (b + d)),
};

export const thresholdMetricNames = Object.keys(thresholdMetrics) as readonly ThresholdMetric[];

/** The best threshold among the probabilities of the second of two labels, the lowest of those as good. Needs rows; all numbers. */
export function bestThreshold(probabilities: Probabilities, metric: ThresholdMetric): Threshold {
	const [negatives, positives] = [probabilities.sorted(1, 0), probabilities.sorted(1, 1)];
	let [above, below] = [positives.length, negatives.length];
	let best: Threshold | undefined;
	while (above > 0 || below > 0) {
		const threshold = Math.max(positives[above - 1] ?? 0, negatives[below - 1] ?? 0);
		while (above > 0 && positives[above - 1] === threshold) above--;
		while (below > 0 && negatives[below - 1] === threshold) below--;
		const [truePositive, falsePositive] = [positives.length - above, negatives.length - below];
		const value = thresholdMetrics[metric]({ truePositive, falsePositive, falseNegative: above, trueNegative: below });
		if (best !== undefined && value < best.value) continue;
		const sameResultAbove = Math.max(positives[above - 1] ?? 0, negatives[below - 1] ?? 0);
		best = { threshold, value, predictedPositive: truePositive + falsePositive, sameResultAbove };
	}
	return best as Threshold;
}

/** The metric of the labels that `decision` gives. */
export function thresholdValue(probabilities: Probabilities, metric: ThresholdMetric, decision: Decision): number {
	const { actual, predicted, right } = countRows(probabilities, decision);
	const [trueNegative, truePositive] = right as unknown as [number, number];
	return thresholdMetrics[metric]({
		truePositive,
		falsePositive: (predicted[1] as number) - truePositive,
		falseNegative: (actual[1] as number) - truePositive,
		trueNegative,
	});
}
