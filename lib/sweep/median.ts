/**
 * The median stopping rule of Golovin et al., Google Vizier (KDD 2017), section 3.2.2: a run is stopped at an evaluation if its best value so far is
 * strictly worse than the median of the running averages, up to the same point, of the runs that finished. A point is a number of
 * passes over the rows, because runs of other batch sizes or lengths share no steps.
 */
import { isBetter, type Metric } from './metric.js';

/** A value of the metric after so many passes over the rows. */
export interface Point {
	readonly epoch: number;
	readonly value: number;
}

export interface MedianStop {
	/** Best value of the run so far; NaN where none was a number. */
	readonly best: number;
	readonly median: number;
	/** Runs the median was taken of. */
	readonly runs: number;
}

/** Fewer finished runs have no say: a median of two is a mean of two. */
export const runsBeforeStopping = 3;
/** A run is left alone until it has seen every row once: before that its warm-up or a new head decides. */
export const epochsBeforeStopping = 1;

/** Why a run with these points should end here, else undefined. `others`: the points of each finished run, in order. */
export function medianStop(points: readonly Point[], others: readonly (readonly Point[])[], metric: Metric): MedianStop | undefined {
	const epoch = points.at(-1)?.epoch ?? 0;
	if (epoch < epochsBeforeStopping) return undefined;
	const averages = others.flatMap((other) => {
		const values = other.filter((point) => point.epoch <= epoch && Number.isFinite(point.value)).map(({ value }) => value);
		return values.length === 0 ? [] : [values.reduce((sum, value) => sum + value, 0) / values.length];
	});
	if (averages.length < runsBeforeStopping) return undefined;
	const median = medianOf(averages);
	const best = points.reduce((so, { value }) => (isBetter(value, so, metric) ? value : so), Number.NaN);
	return isBetter(median, best, metric) ? { best, median, runs: averages.length } : undefined;
}

/** Of at least one number. */
function medianOf(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length / 2;
	const upper = sorted[Math.floor(middle)] as number;
	return Number.isInteger(middle) ? ((sorted[middle - 1] as number) + upper) / 2 : upper;
}
